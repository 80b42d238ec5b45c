// The MSI-X table and pending bits of one PCI function (PCI 3.0, 6.8.2), in a BAR of their own:
//
//   0x000  table: per vector { address low, address high, data, control }
//   0x800  pending bit array
//
// A vector that fires while masked is remembered in the pending bits and sent when it is unmasked.
import { z } from "zod";
import type { AccessSize, IoHandler, MessageInterrupts } from "../device.ts";
import { bytes, u64 } from "../state-schema.ts";
import { MSIX } from "./registers.ts";

export const MSIX_BAR_BYTES = 0x1000;
export const MSIX_PBA_OFFSET = 0x800;
export const MSIX_VECTORS_MAX = MSIX_PBA_OFFSET / MSIX.ENTRY_BYTES / 2;

export interface MsixState {
  table: Uint8Array;
  pending: bigint;
}

export class Msix implements IoHandler {
  readonly vectors: number;
  readonly stateSchema: z.ZodType<MsixState>;
  readonly #table: Uint8Array;
  readonly #view: DataView;
  #pending = 0n;
  #control = 0;
  #messages: MessageInterrupts | undefined;

  constructor(vectors: number) {
    this.vectors = vectors;
    this.#table = new Uint8Array(vectors * MSIX.ENTRY_BYTES);
    this.#view = new DataView(this.#table.buffer);
    this.stateSchema = z.strictObject({ table: bytes(this.#table.length), pending: u64 });
    this.reset();
  }

  connect(messages: MessageInterrupts): void {
    this.#messages = messages;
  }

  /** Set by the guest in message control; while on, INTx must stay quiet. */
  get enabled(): boolean {
    return (this.#control & MSIX.CONTROL_ENABLE) !== 0;
  }

  /** Called when message control is written or restored. */
  setControl(control: number): void {
    this.#control = control;
    this.#sendPending();
  }

  /** Raises vector `vector`; a number the function does not have (the guest's "no vector") is ignored. */
  notify(vector: number): void {
    if (!this.enabled || vector < 0 || vector >= this.vectors) return;
    if (this.#masked(vector)) this.#pending |= 1n << BigInt(vector);
    else this.#send(vector);
  }

  read(offset: number, size: AccessSize): number {
    if (size !== 4 || (offset & 3) !== 0) return 0;
    if (offset < this.#table.length) return this.#view.getUint32(offset, true);
    if (offset === MSIX_PBA_OFFSET) return Number(this.#pending & 0xffffffffn);
    if (offset === MSIX_PBA_OFFSET + 4) return Number(this.#pending >> 32n);
    return 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0 || offset >= this.#table.length) return;
    this.#view.setUint32(offset, value, true);
    if (offset % MSIX.ENTRY_BYTES === MSIX.ENTRY_CONTROL) this.#sendPending();
  }

  reset(): void {
    this.#table.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) {
      this.#view.setUint32(vector * MSIX.ENTRY_BYTES + MSIX.ENTRY_CONTROL, MSIX.ENTRY_MASKED, true);
    }
    this.#pending = 0n;
    this.#control = 0;
  }

  save(): MsixState {
    return { table: this.#table.slice(), pending: this.#pending };
  }

  restore(state: MsixState, control: number): void {
    this.#table.set(state.table);
    this.#pending = state.pending & ((1n << BigInt(this.vectors)) - 1n);
    this.#control = control;
  }

  #masked(vector: number): boolean {
    if ((this.#control & MSIX.CONTROL_MASK_ALL) !== 0) return true;
    return (this.#field(vector, MSIX.ENTRY_CONTROL) & MSIX.ENTRY_MASKED) !== 0;
  }

  #field(vector: number, field: number): number {
    return this.#view.getUint32(vector * MSIX.ENTRY_BYTES + field, true);
  }

  #send(vector: number): void {
    const low = BigInt(this.#field(vector, MSIX.ENTRY_ADDRESS_LOW));
    const high = BigInt(this.#field(vector, MSIX.ENTRY_ADDRESS_HIGH));
    this.#messages?.send((high << 32n) | low, this.#field(vector, MSIX.ENTRY_DATA));
  }

  #sendPending(): void {
    if (this.#pending === 0n || !this.enabled) return;
    for (let vector = 0; vector < this.vectors; vector++) {
      const bit = 1n << BigInt(vector);
      if ((this.#pending & bit) === 0n || this.#masked(vector)) continue;
      this.#pending &= ~bit;
      this.#send(vector);
    }
  }
}
