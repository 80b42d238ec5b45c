// Device pixels per CSS pixel, as it changes: the window went to another screen, or the page was zoomed.
import { useEffect, useState } from "react";

export function useDevicePixelRatio(): number {
  const [ratio, setRatio] = useState(window.devicePixelRatio);
  useEffect(() => {
    // The query holds at this ratio only, so its next change is the ratio's.
    const query = window.matchMedia(`(resolution: ${ratio}dppx)`);
    const onChange = () => setRatio(window.devicePixelRatio);
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, [ratio]);
  return ratio;
}
