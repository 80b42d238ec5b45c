// Where a viewer's keys and pointer go: the machine's input boundary.

/** Bits of `PointerState.buttons`, in the order PS/2 reports them. */
export const POINTER_LEFT = 1;
export const POINTER_RIGHT = 2;
export const POINTER_MIDDLE = 4;

export interface PointerState {
  /** Position in the picture, in pixels, and the picture's size: for absolute devices. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Motion since this viewer's last event, right and down positive: for relative devices. */
  readonly dx: number;
  readonly dy: number;
  /** Detents turned, down positive. */
  readonly wheel: number;
  readonly buttons: number;
}

export interface InputSink {
  /** A key by its set-1 make code; bit 7 stands for the E0 prefix. */
  key(code: number, down: boolean): void;
  pointer(state: PointerState): void;
  /** Asks the guest for a picture of this size; it follows when and if the guest likes. Absent where monitors keep their size. */
  resize?(width: number, height: number): void;
}
