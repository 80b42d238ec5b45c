// A thin line of the last samples; the number stands beside it.
import "./sparkline.css";

interface Props {
  readonly values: readonly number[];
  /** Samples that fill the whole width. */
  readonly length: number;
  /** Value at the top edge; grows with the data when it is exceeded. */
  readonly top: number;
}

const WIDTH = 120;
const HEIGHT = 24;

/** Points of the line, newest at the right edge. */
function sparklinePoints(values: readonly number[], length: number, top: number): string {
  const highest = Math.max(top, ...values);
  const stepX = WIDTH / Math.max(1, length - 1);
  const startX = WIDTH - (values.length - 1) * stepX;
  return values
    .map((value, index) => {
      const y = HEIGHT - 1 - (highest > 0 ? value / highest : 0) * (HEIGHT - 2);
      return `${(startX + index * stepX).toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}

export function Sparkline({ values, length, top }: Props) {
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {values.length > 1 && <polyline points={sparklinePoints(values, length, top)} />}
    </svg>
  );
}
