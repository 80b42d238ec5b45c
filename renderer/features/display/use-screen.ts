// The connection to a machine's screen: an RFB session in the given element for as long as the machine is up, made anew when it
// breaks (a reset or a restore starts a new server).
import RFB from "@novnc/novnc";
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { mayTakeFocus } from "../../app/focus.ts";
import { platform } from "../../platform/index.ts";
import type { Size } from "./scaling.ts";

type ScreenLink = "off" | "connecting" | "open" | "reconnecting";

const RETRY_MS = 400;

export interface Screen {
  readonly link: ScreenLink;
  /** Size of the guest's screen in its own pixels, once known. */
  readonly size: Size | null;
  readonly focused: boolean;
  readonly rfb: RefObject<RFB | null>;
  /** What the screen is drawn on, while it is connected. */
  canvas(): HTMLCanvasElement | null;
}

/** Calls back with the canvas's size now and whenever the guest changes its mode. */
function watchSize(canvas: HTMLCanvasElement, onSize: (size: Size) => void): () => void {
  const report = () => onSize({ width: canvas.width, height: canvas.height });
  const observer = new MutationObserver(report);
  observer.observe(canvas, { attributes: true, attributeFilter: ["width", "height"] });
  report();
  return () => observer.disconnect();
}

export function useScreen(
  target: RefObject<HTMLElement | null>,
  machineId: string,
  live: boolean,
  label: string,
  follow: boolean,
): Screen {
  const rfb = useRef<RFB | null>(null);
  const [link, setLink] = useState<ScreenLink>("connecting");
  const [size, setSize] = useState<Size | null>(null);
  const [focused, setFocused] = useState(false);
  // Seen by sessions made later, without making one anew for a change.
  const followsPane = useRef(follow);
  useEffect(() => {
    followsPane.current = follow;
    if (rfb.current) rfb.current.resizeSession = follow;
  }, [follow]);

  useEffect(() => {
    const element = target.current;
    if (!live || !element) return;
    let ended = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopWatching = () => {};

    const connect = () => {
      const session = new RFB(element, platform.openDataChannel(machineId, "rfb"), { shared: true });
      session.scaleViewport = true;
      session.resizeSession = followsPane.current;
      session.background = "transparent";
      // A guest without a pointer of its own, as on a text screen, still shows where the mouse is.
      session.showDotCursor = true;
      rfb.current = session;
      const canvas = element.querySelector("canvas");
      session.addEventListener("connect", () => {
        setLink("open");
        if (!canvas) return;
        canvas.tabIndex = 0;
        canvas.setAttribute("role", "application");
        canvas.setAttribute("aria-label", label);
        canvas.addEventListener("focus", () => setFocused(true));
        canvas.addEventListener("blur", () => setFocused(false));
        stopWatching = watchSize(canvas, setSize);
        if (mayTakeFocus()) session.focus({ preventScroll: true });
      });
      session.addEventListener("disconnect", () => {
        stopWatching();
        setFocused(false);
        if (rfb.current === session) rfb.current = null;
        setLink(ended ? "connecting" : "reconnecting");
        if (!ended) timer = setTimeout(connect, RETRY_MS);
      });
    };
    connect();

    return () => {
      ended = true;
      clearTimeout(timer);
      stopWatching();
      rfb.current?.disconnect();
      rfb.current = null;
      setFocused(false);
    };
  }, [target, machineId, live, label]);

  const canvas = useCallback(() => target.current?.querySelector("canvas") ?? null, [target]);
  return { link: live ? link : "off", size, focused, rfb, canvas };
}
