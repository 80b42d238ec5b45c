// How large the guest's screen is drawn.
import type { ScaleMode } from "../../app/preferences-format.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Factor from guest pixels to CSS pixels. `fit` fills the pane; `sharp` is the largest factor at which a guest pixel is a whole
 * number of device pixels (at least one); `actual` is one to one. `follow` asks the guest for the pane's size and fills the pane as long
 * as it has not followed.
 */
export function scaleFactor(mode: ScaleMode, guest: Size, pane: Size, devicePixelRatio: number): number {
  if (mode === "actual" || guest.width <= 0 || guest.height <= 0) return 1;
  const fit = Math.min(pane.width / guest.width, pane.height / guest.height);
  if (fit <= 0) return 1;
  return mode === "fit" || mode === "follow" ? fit : Math.max(1, Math.floor(fit * devicePixelRatio)) / devicePixelRatio;
}
