// Full screen for one element. Where the browser can, it also hands over the keys it keeps for itself (Esc, Ctrl+W, Alt+Tab).
import { type RefObject, useCallback, useEffect, useState } from "react";

interface KeyboardLock {
  lock(): Promise<void>;
  unlock(): void;
}

const keyboard = (navigator as Navigator & { readonly keyboard?: KeyboardLock }).keyboard;

export function useFullScreen(frame: RefObject<HTMLElement | null>): [boolean, () => void] {
  const [active, setActive] = useState(false);
  useEffect(() => {
    const onChange = () => {
      const entered = document.fullscreenElement !== null && document.fullscreenElement === frame.current;
      setActive(entered);
      if (entered) keyboard?.lock().catch(() => undefined);
      else keyboard?.unlock();
    };
    document.addEventListener("fullscreenchange", onChange);
    return () => document.removeEventListener("fullscreenchange", onChange);
  }, [frame]);
  const toggle = useCallback(() => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.current?.requestFullscreen();
  }, [frame]);
  return [active, toggle];
}
