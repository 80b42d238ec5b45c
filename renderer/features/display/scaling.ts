// How large the guest's screen is drawn.
import type { ScaleMode } from "../../app/preferences-format.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Levels of the zoom, in percent of one CSS pixel per guest pixel. */
export const ZOOM_LEVELS = [25, 50, 75, 100, 125, 150, 200, 300, 400] as const;

/**
 * Factor from guest pixels to CSS pixels. `fit` fills the pane; `sharp` is the largest factor at which a guest pixel is a whole
 * number of device pixels (at least one); `actual` is one to one; `zoom` is what the user chose. `follow` asks the guest for the pane's
 * size and fills the pane as long as it has not followed.
 */
export function scaleFactor(
  mode: ScaleMode,
  guest: Size,
  pane: Size,
  devicePixelRatio: number,
  zoomPercent: number,
): number {
  if (mode === "zoom") return zoomPercent / 100;
  if (mode === "actual" || guest.width <= 0 || guest.height <= 0) return 1;
  const fit = Math.min(pane.width / guest.width, pane.height / guest.height);
  if (fit <= 0) return 1;
  return mode === "fit" || mode === "follow" ? fit : Math.max(1, Math.floor(fit * devicePixelRatio)) / devicePixelRatio;
}

/** Whether every guest pixel is the same whole number of device pixels wide, so that nothing has to be smoothed. */
export function isCrisp(factor: number, devicePixelRatio: number): boolean {
  const devicePixels = factor * devicePixelRatio;
  return devicePixels > 0.5 && Math.abs(devicePixels - Math.round(devicePixels)) < 1e-6;
}

/** The level above (1) or below (-1) what is seen now, which need not be a level itself. */
export function nextZoomPercent(factor: number, direction: 1 | -1): number {
  const percent = Math.round(factor * 100);
  const levels =
    direction > 0 ? ZOOM_LEVELS.filter((level) => level > percent) : ZOOM_LEVELS.filter((level) => level < percent);
  return levels.at(direction > 0 ? 0 : -1) ?? ZOOM_LEVELS.at(direction > 0 ? -1 : 0) ?? 100;
}
