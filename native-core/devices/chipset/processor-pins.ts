// What the chipset and the processors tell each other beside interrupts (82371SB 2.5.7 FERR#, IGNNE#; SDM 1 8.7; A20M#).

export interface ProcessorPins {
  /** A20M#, asserted while address line 20 is not enabled: bit 20 of physical addresses is zero then, as it was on the 8086. */
  enableA20(enabled: boolean): void;
  /** IGNNE#: a pending x87 exception no longer stops the processor. Deasserted with the exception. */
  ignoreNumericErrors(): void;
  /** FERR#: with CR0.NE clear an x87 exception stops the processor until it is interrupted. Set by the board. */
  onNumericError: (() => void) | undefined;
}

/** Address line 20 as software switches it: port 92h and the keyboard controller have one gate between them. */
export class A20Gate {
  readonly #changed: (enabled: boolean) => void;
  #enabled = true;

  constructor(changed: (enabled: boolean) => void) {
    this.#changed = changed;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    if (this.#enabled === enabled) return;
    this.#enabled = enabled;
    this.#changed(enabled);
  }
}
