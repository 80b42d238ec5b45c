// Whether a viewer may draw the guest's pointer himself. He draws it where his own pointer is, at once and without a round trip, which is right
// as long as the guest's follows: with an absolute device it does, some looks late. It does not when the device is relative, when the guest
// puts it elsewhere, or when somebody else moves it; then it has to be in the picture.
import type { DisplayCursor } from "../devices/display-source.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where the viewer has been lately: a guest that lags is at one of these. */
const TRAIL_POINTS = 64;
/** Pixels that positions may be off, by rounding and scaling. */
const SLACK = 3;
/** Looks after which a pointer that nobody moves must have arrived. */
const SETTLED_LOOKS = 12;
/** Looks that it may be where the viewer never was. */
const STRAY_LOOKS = 4;

export class ViewerPointer {
  readonly #trail: Point[] = [];
  #looksSinceMotion = 0;
  #strayLooks = 0;
  #inStep = false;

  moved(point: Point): void {
    this.#trail.push(point);
    if (this.#trail.length > TRAIL_POINTS) this.#trail.shift();
    this.#looksSinceMotion = 0;
  }

  /** Called with every look at the screen. */
  follows(cursor: DisplayCursor | undefined): boolean {
    this.#looksSinceMotion++;
    const latest = this.#trail.at(-1);
    // A pointer that the guest hides may be anywhere.
    if (!cursor || !latest) return this.#inStep;
    if (isAt(cursor, latest)) {
      this.#inStep = true;
      this.#strayLooks = 0;
    } else if (this.#looksSinceMotion > SETTLED_LOOKS) {
      this.#inStep = false;
    } else if (this.#trail.some((point) => isAt(cursor, point))) {
      this.#strayLooks = 0;
    } else if (++this.#strayLooks >= STRAY_LOOKS) {
      this.#inStep = false;
    }
    return this.#inStep;
  }
}

/** Guests name the place of the hot spot, or, like Linux before 6.6, that of the corner. */
function isAt({ shape, x, y }: DisplayCursor, point: Point): boolean {
  const [right, down] = [point.x - x, point.y - y];
  return right >= -SLACK && right <= shape.hotX + SLACK && down >= -SLACK && down <= shape.hotY + SLACK;
}
