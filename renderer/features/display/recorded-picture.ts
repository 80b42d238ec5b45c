// What a recording shows: the screen's canvas and, over it, the pointer, which the browser draws and the canvas has not.

export interface RecordedPicture {
  readonly canvas: HTMLCanvasElement;
  stop(): void;
}

/** As noVNC sets it: the look as a data URL, and its hot spot. */
const CURSOR = /^url\("?(data:[^")]+)"?\)\s*(\d+) (\d+)/;

export function recordedPicture(screen: HTMLCanvasElement, framesPerSecond: number): RecordedPicture {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const look = new Image();
  let place: { x: number; y: number } | undefined;
  const listening = new AbortController();
  const { signal } = listening;
  screen.addEventListener(
    "pointermove",
    ({ offsetX, offsetY }) => {
      const scale = screen.width / Math.max(1, screen.clientWidth);
      place = { x: offsetX * scale, y: offsetY * scale };
    },
    { signal },
  );
  screen.addEventListener("pointerleave", () => (place = undefined), { signal });

  const draw = () => {
    if (canvas.width !== screen.width || canvas.height !== screen.height) {
      canvas.width = screen.width;
      canvas.height = screen.height;
    }
    context?.drawImage(screen, 0, 0);
    const [, url = "", hotX, hotY] = CURSOR.exec(screen.style.cursor) ?? [];
    if (!place || url === "") return;
    if (look.src !== url) look.src = url;
    // A new look is there with the next frame.
    if (look.complete) context?.drawImage(look, place.x - Number(hotX), place.y - Number(hotY));
  };
  draw();
  const timer = setInterval(draw, 1000 / framesPerSecond);
  return {
    canvas,
    stop: () => {
      clearInterval(timer);
      listening.abort();
    },
  };
}
