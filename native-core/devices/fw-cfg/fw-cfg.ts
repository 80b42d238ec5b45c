// fw_cfg: numbered byte strings that firmware reads through a selector and a data port, or by DMA (registers.ts names the document).
// What is in them belongs to the firmware (firmware/fw-cfg-content.ts), not to the saved state: only where the reader stands does.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, GuestMemory, IoBus, IoMapping } from "../device.ts";
import { u16, u32 } from "../state-schema.ts";
import {
  FW_CFG_DMA_CONTROL,
  FW_CFG_DMA_PORT,
  FW_CFG_DMA_SIGNATURE,
  FW_CFG_FILE_ENTRY_BYTES,
  FW_CFG_FILE_NAME_BYTES,
  FW_CFG_ID,
  FW_CFG_KEY,
  FW_CFG_SELECTOR_PORT,
} from "./registers.ts";

/** Firmware's view of the machine. Integers in items are little-endian. */
export interface FwCfgContent {
  readonly items: ReadonlyMap<number, Uint8Array>;
  /** By name, at most 55 characters: `etc/e820`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A DMA descriptor may ask for no more at once: what a guest wants moved must not stop the machine. */
const DMA_MAX_BYTES = 4 << 20;
const DMA_CHUNK_BYTES = 1 << 16;
const DESCRIPTOR_BYTES = 16;

const stateSchema = z.strictObject({ key: u16, offset: u32, dmaHigh: u32 });
type FwCfgState = z.infer<typeof stateSchema>;

export class FwCfg implements Device<FwCfgState> {
  readonly name = "fw-cfg";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #memory: GuestMemory;
  readonly #items: ReadonlyMap<number, Uint8Array>;
  readonly #mappings: readonly IoMapping[];
  #key = 0;
  #offset = 0;
  #dmaHigh = 0;

  constructor(bus: IoBus, memory: GuestMemory, content: FwCfgContent) {
    this.#memory = memory;
    this.#items = allItems(content);
    this.#mappings = [
      bus.mapPorts(FW_CFG_SELECTOR_PORT, 2, {
        // The data register is the selector's second byte: reads of either yield data.
        read: (offset, size) => (offset === 1 && size === 1 ? this.#next() : 0),
        write: (offset, size, value) => {
          if (offset === 0 && size === 2) this.#select(value);
        },
      }),
      bus.mapPorts(FW_CFG_DMA_PORT, 8, {
        read: signature.read,
        write: (offset, size, value) => {
          if (size !== 4) return;
          if (offset === 0) this.#dmaHigh = swap(value);
          else if (offset === 4) this.#dma(this.#dmaHigh * 2 ** 32 + swap(value));
        },
      }),
    ];
  }

  reset(): void {
    this.#select(0);
    this.#dmaHigh = 0;
  }

  save(): FwCfgState {
    return { key: this.#key, offset: this.#offset, dmaHigh: this.#dmaHigh };
  }

  restore(state: FwCfgState): void {
    this.#key = state.key;
    this.#offset = state.offset;
    this.#dmaHigh = state.dmaHigh;
  }

  dispose(): void {
    for (const mapping of this.#mappings) mapping.unmap();
  }

  #select(key: number): void {
    this.#key = key;
    this.#offset = 0;
  }

  /** Behind the end, and where there is no item, everything reads as zero. */
  #next(): number {
    const value = this.#items.get(this.#key)?.[this.#offset] ?? 0;
    if (this.#offset < 0xffffffff) this.#offset++;
    return value;
  }

  /** The descriptor in guest memory, big-endian: {control:u32 length:u32 address:u64}. The answer is written to `control`. */
  #dma(descriptor: number): void {
    this.#dmaHigh = 0;
    const bytes = new Uint8Array(DESCRIPTOR_BYTES);
    this.#memory.read(descriptor, bytes);
    const view = new DataView(bytes.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const address = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if (control & FW_CFG_DMA_CONTROL.SELECT) this.#select(control >>> 16);
    const failed = !this.#transfer(control, address, length);
    this.#memory.writeU32(descriptor, failed ? swap(FW_CFG_DMA_CONTROL.ERROR) : 0);
  }

  #transfer(control: number, address: number, length: number): boolean {
    if (control & FW_CFG_DMA_CONTROL.READ) {
      if (length > DMA_MAX_BYTES) return false;
      const item = this.#items.get(this.#key) ?? new Uint8Array(0);
      for (let done = 0; done < length; done += DMA_CHUNK_BYTES) {
        const chunk = new Uint8Array(Math.min(DMA_CHUNK_BYTES, length - done));
        chunk.set(item.subarray(this.#offset + done, this.#offset + done + chunk.length));
        this.#memory.write(address + done, chunk);
      }
    } else if (control & FW_CFG_DMA_CONTROL.WRITE) {
      return false;
    } else if ((control & FW_CFG_DMA_CONTROL.SKIP) === 0) {
      return true;
    }
    this.#offset = Math.min(0xffffffff, this.#offset + length);
    return true;
  }
}

function allItems({ items, files }: FwCfgContent): Map<number, Uint8Array> {
  const all = new Map(items);
  all.set(FW_CFG_KEY.SIGNATURE, ascii("QEMU"));
  all.set(FW_CFG_KEY.ID, Uint8Array.of(FW_CFG_ID.TRADITIONAL | FW_CFG_ID.DMA, 0, 0, 0));
  // Firmware expects the directory sorted by name.
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const directory = new Uint8Array(4 + sorted.length * FW_CFG_FILE_ENTRY_BYTES);
  const view = new DataView(directory.buffer);
  view.setUint32(0, sorted.length);
  for (const [index, [name, content]] of sorted.entries()) {
    const at = 4 + index * FW_CFG_FILE_ENTRY_BYTES;
    const key = FW_CFG_KEY.FIRST_FILE + index;
    view.setUint32(at, content.length);
    view.setUint16(at + 4, key);
    directory.set(ascii(name).subarray(0, FW_CFG_FILE_NAME_BYTES - 1), at + 8);
    all.set(key, content);
  }
  all.set(FW_CFG_KEY.FILE_DIRECTORY, directory);
  return all;
}

/** Big-endian, like everything about DMA. */
const signature = byteWide(
  (offset) => (FW_CFG_DMA_SIGNATURE[offset >> 2] ?? 0) >>> (24 - 8 * (offset & 3)),
  () => {},
);

function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0x7f);
}
