// Chooses how large the guest's screen is drawn, whatever the pane's size is.
import { setPreference } from "../../app/preferences.ts";
import { nextZoomPercent } from "./scaling.ts";

export function zoomTo(percent: number): void {
  setPreference("zoomPercent", percent);
  setPreference("scaleMode", "zoom");
}

/** One level up or down from the factor that is seen now; 0 is one to one. */
export function zoomBy(step: 1 | -1 | 0, factor: number): void {
  if (step === 0) setPreference("scaleMode", "actual");
  else zoomTo(nextZoomPercent(factor, step));
}
