// Full screen for the screen of a machine. It is the whole page that goes there, and the display covers it: menus, questions and
// notifications are laid over the page, and would stay behind an element that is alone in full screen. Where the browser can, it also
// hands over the keys it keeps for itself (Esc, Ctrl+W, Alt+Tab).
import { useCallback, useEffect, useState } from "react";

interface KeyboardLock {
  lock(): Promise<void>;
  unlock(): void;
}

const keyboard = (navigator as Navigator & { readonly keyboard?: KeyboardLock }).keyboard;

const isFull = (): boolean => document.fullscreenElement !== null;

export function useFullScreen(): [boolean, () => void] {
  const [active, setActive] = useState(isFull);
  useEffect(() => {
    const onChange = () => {
      setActive(isFull());
      if (isFull()) keyboard?.lock().catch(() => undefined);
      else keyboard?.unlock();
    };
    document.addEventListener("fullscreenchange", onChange);
    return () => {
      document.removeEventListener("fullscreenchange", onChange);
      if (isFull()) void document.exitFullscreen();
    };
  }, []);
  const toggle = useCallback(() => {
    if (isFull()) void document.exitFullscreen();
    else void document.documentElement.requestFullscreen();
  }, []);
  return [active, toggle];
}
