// A flash chip below the firmware's code, where UEFI keeps its variables: the Intel command set (CFI, "P30"), as far as firmware uses it.
// The content lives outside (host/variable-store.ts keeps it in an image of the machine); the state holds only what the chip is doing.
//
//   FFh read array   70h read status   50h clear status   10h/40h, byte: program   20h, D0h: erase a block
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import type { AccessSize, Device, IoBus, IoHandler, IoMapping } from "../device.ts";
import { u8 } from "../state-schema.ts";

const BLOCK_BYTES = 4096;
const COMMAND = {
  PROGRAM: 0x10,
  ERASE: 0x20,
  PROGRAM_ALTERNATE: 0x40,
  CLEAR_STATUS: 0x50,
  READ_STATUS: 0x70,
  CONFIRM: 0xd0,
  READ_ARRAY: 0xff,
} as const;
const STATUS = { READY: 0x80, ERASE_ERROR: 0x20, PROGRAM_ERROR: 0x10 } as const;
const MODES = ["array", "status", "program", "erase"] as const;

/** What the chip holds. */
export interface FlashContent {
  readonly bytes: Uint8Array;
  /** These bytes were changed. */
  changed(offset: number, length: number): void;
}

const stateSchema = z.strictObject({ mode: z.enum(MODES), status: u8 });
type FlashState = z.infer<typeof stateSchema>;

export class Flash implements Device<FlashState>, IoHandler {
  readonly name = "flash";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #content: FlashContent;
  readonly #mapping: IoMapping;
  #mode: (typeof MODES)[number] = "array";
  #status: number = STATUS.READY;

  constructor(bus: IoBus, base: number, content: FlashContent) {
    assert(content.bytes.length % BLOCK_BYTES === 0, "a flash chip is a number of blocks");
    this.#content = content;
    this.#mapping = bus.mapMmio(base, content.bytes.length, this);
  }

  read(offset: number, size: AccessSize): number {
    const { bytes } = this.#content;
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) {
      value = value * 256 + (this.#mode === "array" ? (bytes[offset + byte] ?? 0xff) : this.#status);
    }
    return value;
  }

  write(offset: number, _size: AccessSize, value: number): void {
    const byte = value & 0xff;
    if (this.#mode === "program") this.#program(offset, byte);
    else if (this.#mode === "erase") this.#erase(offset, byte);
    else this.#command(byte);
  }

  reset(): void {
    this.#mode = "array";
    this.#status = STATUS.READY;
  }

  save(): FlashState {
    return { mode: this.#mode, status: this.#status };
  }

  restore(state: FlashState): void {
    this.#mode = state.mode;
    this.#status = state.status;
  }

  dispose(): void {
    this.#mapping.unmap();
  }

  #command(command: number): void {
    switch (command) {
      case COMMAND.PROGRAM:
      case COMMAND.PROGRAM_ALTERNATE:
        this.#mode = "program";
        break;
      case COMMAND.ERASE:
        this.#mode = "erase";
        break;
      case COMMAND.READ_STATUS:
        this.#mode = "status";
        break;
      case COMMAND.CLEAR_STATUS:
        this.#status = 0;
        this.#mode = "array";
        break;
      default:
        this.#mode = "array";
    }
  }

  /** Programming only clears bits. */
  #program(offset: number, value: number): void {
    const { bytes } = this.#content;
    const before = bytes[offset] ?? 0xff;
    bytes[offset] = before & value;
    this.#status |= STATUS.READY;
    this.#mode = "status";
    if (bytes[offset] !== before) this.#content.changed(offset, 1);
  }

  #erase(offset: number, confirmation: number): void {
    this.#mode = "status";
    this.#status |= STATUS.READY;
    if (confirmation !== COMMAND.CONFIRM) {
      this.#status |= STATUS.ERASE_ERROR | STATUS.PROGRAM_ERROR;
      return;
    }
    const start = offset - (offset % BLOCK_BYTES);
    this.#content.bytes.fill(0xff, start, start + BLOCK_BYTES);
    this.#content.changed(start, BLOCK_BYTES);
  }
}
