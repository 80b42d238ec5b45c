// Where the main window was: kept between starts, and used again where it can still be seen.

/** In device-independent pixels. */
export interface Bounds {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** So much of a window must be on a screen for the user to catch it. */
const VISIBLE_WIDTH = 120;
const VISIBLE_HEIGHT = 40;

/** `stored` as it was read; `screens` without task bars. Null where it is no place for a window any more. */
export function placeOf(stored: unknown, screens: readonly Bounds[]): Bounds | null {
  if (typeof stored !== "object" || stored === null) return null;
  const { x, y, width, height } = stored as Record<string, unknown>;
  if (![x, y, width, height].every(Number.isInteger)) return null;
  const bounds = { x, y, width, height } as Bounds;
  const isSeen = screens.some(
    (screen) =>
      overlap(bounds.x, bounds.width, screen.x, screen.width) >= VISIBLE_WIDTH &&
      // By its title, which is at the top.
      bounds.y >= screen.y &&
      bounds.y + VISIBLE_HEIGHT <= screen.y + screen.height,
  );
  return isSeen ? bounds : null;
}

const overlap = (a: number, aLength: number, b: number, bLength: number): number =>
  Math.min(a + aLength, b + bLength) - Math.max(a, b);
