// A chart over time: thin lines drawn by uPlot, readable numbers beside them, values under the pointer. Colours come from the tokens.
import { type RefObject, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useDarkTheme } from "../app/theme.ts";
import { i18n } from "../i18n/index.ts";
import "./chart.css";

export interface ChartSeries {
  readonly label: string;
  /** Number of a lane colour (tokens.css). */
  readonly colour: number;
  /** One per time; null where the machine did not run. */
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  /** Seconds that the whole width shows, up to `endS`. */
  readonly spanS: number;
  readonly endS: number;
  /** Value at the top edge while the data is below it. */
  readonly top: number;
  /** Bytes: the axis is divided at powers of two. */
  readonly bytes?: boolean;
  format(value: number): string;
}

const HEIGHT = 150;
const POWERS_OF_TWO = Array.from({ length: 48 }, (_, power) => 2 ** power);
/** Spans longer than this need no seconds on their axis. */
const SECONDS_UP_TO_S = 120;

function colourOf(lane: number): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--lane-${lane}`).trim();
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Everything but the data; the colours are those of the moment, the rest is read from `latest` whenever it is drawn. */
function optionsOf(latest: RefObject<Props>, width: number, onPoint: (index: number | null) => void): uPlot.Options {
  const { series } = latest.current;
  const format = (value: number) => latest.current.format(value);
  const axis: uPlot.Axis = {
    stroke: token("--text-muted"),
    font: `11px ${token("--font")}`,
    grid: { stroke: token("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { setScale: false, x: false, y: false } },
    scales: {
      x: { time: true, range: () => [latest.current.endS - latest.current.spanS, latest.current.endS] },
      y: { range: (_, __, max) => [0, Math.max(latest.current.top, (max ?? 0) * 1.1)] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        values: (_, ticks) => ticks.map((tick) => timeLabel(tick, latest.current.spanS <= SECONDS_UP_TO_S)),
      },
      {
        ...axis,
        ...(latest.current.bytes && { incrs: POWERS_OF_TWO }),
        size: 72,
        values: (_, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {},
      ...series.map(({ label, colour }) => ({
        label,
        stroke: colourOf(colour),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
  };
}

function timeLabel(atS: number, withSeconds: boolean): string {
  const seconds = withSeconds ? ({ second: "2-digit" } as const) : {};
  const format: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", ...seconds, hour12: false };
  return new Intl.DateTimeFormat(i18n.language === "pseudo" ? "en" : i18n.language, format).format(atS * 1000);
}

export function Chart(props: Props) {
  const { title, times, series, spanS, endS, format } = props;
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [point, setPoint] = useState<number | null>(null);
  const dark = useDarkTheme();
  const labels = series.map(({ label }) => label).join("\n");
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });

  // Made anew for other colours or other lines.
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    // The theme's attribute is set by an effect of the window, which runs after those of its parts.
    const frameId = requestAnimationFrame(() => {
      const made = new uPlot(optionsOf(latest, element.clientWidth, setPoint), dataOf(latest.current), element);
      plot.current = made;
    });
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      cancelAnimationFrame(frameId);
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- other colours and other lines need another chart
  }, [dark, labels]);

  useEffect(() => {
    // The scale follows `latest`, which has these already.
    if (endS > spanS) plot.current?.setData(dataOf({ times, series }));
  }, [times, series, spanS, endS]);

  const shown = point ?? times.length - 1;
  return (
    <figure className="chart">
      <figcaption>
        <strong>{title}</strong>
        {point !== null && times[point] !== undefined && (
          <span className="muted number">{timeLabel(times[point], true)}</span>
        )}
        <span className="chart-space" />
        {series.map(({ label, colour, values }) => (
          <span key={label} className="chart-value number">
            <span className="chart-swatch" style={{ background: `var(--lane-${colour})` }} aria-hidden="true" />
            <span className="muted">{label}</span> {values[shown] == null ? "–" : format(values[shown])}
          </span>
        ))}
      </figcaption>
      <div ref={frame} className="chart-frame" aria-hidden="true" />
    </figure>
  );
}

function dataOf({ times, series }: Pick<Props, "times" | "series">): uPlot.AlignedData {
  return [[...times], ...series.map(({ values }) => [...values])] as uPlot.AlignedData;
}
