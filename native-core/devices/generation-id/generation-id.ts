// VM generation ID (Microsoft, "Virtual Machine Generation ID", 2018): 16 bytes at a fixed address that differ after the machine was
// copied or went back to a snapshot. A guest that is told so draws new random numbers, asks for a new address, and so on.
//
// The identifier belongs to the machine, not to its state: the host sets it. What the state says is what the guest knew.
import { z } from "zod";
import type { Device, IoBus } from "../device.ts";

/** Between the I/O APIC and the local APIC; a page of its own that nothing else is near (rules R1b, R1c and R1d). */
export const GENERATION_ID_BASE = 0xfed30000;
const PAGE_BYTES = 4096;
const ID_BYTES = 16;

const stateSchema = z.strictObject({
  id: z.instanceof(Uint8Array).refine((id) => id.length === ID_BYTES, "16 bytes"),
});
type GenerationIdState = z.infer<typeof stateSchema>;

export interface GenerationIdParts {
  bus: IoBus;
  /** 16 bytes; undefined: the one of the restored state, zeroes in a new machine. */
  id: Uint8Array | undefined;
  /** Tells the guest's ACPI driver that the identifier is another one. */
  notify: () => void;
}

export class GenerationId implements Device<GenerationIdState> {
  readonly name = "generation-id";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<GenerationIdState> = stateSchema;
  readonly #parts: GenerationIdParts;
  readonly #id = new Uint8Array(PAGE_BYTES);
  #isNew = false;

  constructor(parts: GenerationIdParts) {
    this.#parts = parts;
    if (parts.id) this.#id.set(parts.id.subarray(0, ID_BYTES));
    parts.bus.mapMmio(GENERATION_ID_BASE, PAGE_BYTES, {
      read: (offset, size) => {
        let value = 0;
        for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (this.#id[offset + byte] ?? 0);
        return value;
      },
      // Read-only.
      write: () => undefined,
    });
  }

  reset(): void {
    this.#isNew = false;
  }

  save(): GenerationIdState {
    return { id: this.#id.slice(0, ID_BYTES) };
  }

  restore({ id }: GenerationIdState): void {
    if (!this.#parts.id) this.#id.set(id);
    this.#isNew = id.some((byte, index) => byte !== this.#id[index]);
  }

  /** After a restore, when the interrupt controllers listen again: notifies the guest if it is not what it was. */
  announce(): void {
    if (this.#isNew) this.#parts.notify();
    this.#isNew = false;
  }
}
