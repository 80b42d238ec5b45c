// What a display adapter offers to whoever shows its picture (RFB server, screenshots, thumbnails).
//
// The picture is pulled: nothing is drawn while nobody looks. There is one reader, which keeps the pixels and shares them.

/** In pixels, from the top left corner. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface DisplaySize {
  readonly width: number;
  readonly height: number;
}

/** What a pointer looks like: another look is another object. */
export interface CursorShape {
  readonly width: number;
  readonly height: number;
  /** Line by line as in `render`, but with an alpha that the colours are multiplied by. */
  readonly pixels: Uint32Array;
  readonly hotX: number;
  readonly hotY: number;
}

/** A pointer with its hot spot at `x`, `y` of the picture. */
export interface DisplayCursor {
  readonly shape: CursorShape;
  readonly x: number;
  readonly y: number;
}

export interface DisplaySource {
  /** Size of the picture now; the guest may change it at any time. */
  size(): DisplaySize;
  /**
   * Brings `pixels` up to date and returns the rectangles that changed, without overlap.
   *
   * `pixels` is `width * height` of `size()`: R, G, B, A bytes, that is 0xAABBGGRR as a number on a little-endian host; A is 255.
   * It holds what the last call left in it, unless `everything` is set: then all of it is drawn anew.
   */
  render(pixels: Uint32Array, everything: boolean): Rect[];
  /** The pointer that the adapter shows over its picture, which `render` leaves out; undefined when there is none, or the guest draws it itself. */
  readonly cursor?: DisplayCursor | undefined;
}
