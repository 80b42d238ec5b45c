// A two-dimensional resource of virtio-gpu: pixels on the host's side, and the guest memory that they are taken from.
import { z } from "zod";
import type { GuestMemory } from "../../device.ts";
import type { Rect } from "../../display-source.ts";
import { bytesUpTo, u32 } from "../../state-schema.ts";
import { FORMATS, type PixelLayout } from "./protocol.ts";

export const PIXEL_BYTES = 4;
/** Of a side, in pixels: the largest mode is smaller. */
export const RESOURCE_MAX_SIDE = 4096;
/** All resources of a device together; drivers keep a picture or three. */
export const RESOURCES_MAX_BYTES = 256 << 20;
export const BACKING_MAX_ENTRIES = 16384;

export interface BackingEntry {
  readonly address: number;
  readonly length: number;
}

export const resourceStateSchema = z
  .strictObject({
    id: u32.min(1),
    format: z.int().refine((format) => FORMATS.has(format), "a known pixel format"),
    width: z.int().min(1).max(RESOURCE_MAX_SIDE),
    height: z.int().min(1).max(RESOURCE_MAX_SIDE),
    backing: z
      .array(z.strictObject({ address: z.int().min(0), length: u32 }))
      .max(BACKING_MAX_ENTRIES)
      .nullable(),
    pixels: bytesUpTo(RESOURCES_MAX_BYTES),
  })
  .refine(({ width, height, pixels }) => pixels.length === width * height * PIXEL_BYTES, "pixels and size disagree");
export type ResourceState = z.infer<typeof resourceStateSchema>;

export class Resource {
  readonly id: number;
  readonly format: number;
  readonly layout: PixelLayout;
  readonly width: number;
  readonly height: number;
  /** As the guest has them in memory. */
  readonly pixels: Uint32Array;
  readonly #bytes: Uint8Array;
  #backing: readonly BackingEntry[] | undefined;
  /** Where in the backing each entry begins, and its end at last. */
  #starts: number[] = [];

  constructor(id: number, format: number, width: number, height: number) {
    this.id = id;
    this.format = format;
    this.layout = FORMATS.get(format) as PixelLayout;
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height);
    this.#bytes = new Uint8Array(this.pixels.buffer);
  }

  static restore(state: ResourceState): Resource {
    const resource = new Resource(state.id, state.format, state.width, state.height);
    resource.#bytes.set(state.pixels);
    if (state.backing) resource.attach(state.backing);
    return resource;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  get hasBacking(): boolean {
    return this.#backing !== undefined;
  }

  attach(backing: readonly BackingEntry[]): void {
    this.#backing = backing;
    this.#starts = [0];
    for (const { length } of backing) this.#starts.push((this.#starts.at(-1) ?? 0) + length);
  }

  detach(): void {
    this.#backing = undefined;
  }

  contains({ x, y, width, height }: Rect): boolean {
    return x + width <= this.width && y + height <= this.height;
  }

  /** Takes a rectangle, which lies inside, from guest memory; it begins `offset` bytes into the backing. Missing memory changes nothing. */
  transfer(memory: GuestMemory, { x, y, width, height }: Rect, offset: number): void {
    const stride = this.width * PIXEL_BYTES;
    const at = y * stride + x * PIXEL_BYTES;
    if (width === this.width) {
      this.#copy(memory, offset, this.#bytes.subarray(at, at + stride * height));
      return;
    }
    for (let line = 0; line < height; line++) {
      const start = at + line * stride;
      this.#copy(memory, offset + line * stride, this.#bytes.subarray(start, start + width * PIXEL_BYTES));
    }
  }

  save(): ResourceState {
    const { id, format, width, height } = this;
    return { id, format, width, height, backing: this.#backing?.slice() ?? null, pixels: this.#bytes.slice() };
  }

  #copy(memory: GuestMemory, offset: number, target: Uint8Array): void {
    const backing = this.#backing;
    if (!backing) return;
    let entry = this.#entryAt(offset);
    let done = 0;
    while (done < target.length) {
      const piece = backing[entry];
      if (!piece) return;
      const skip = offset + done - (this.#starts[entry] ?? 0);
      const length = Math.min(piece.length - skip, target.length - done);
      if (length > 0) memory.read(piece.address + skip, target.subarray(done, done + length));
      done += Math.max(0, length);
      entry++;
    }
  }

  /** Index of the entry that holds a byte of the backing; the number of entries when none does. */
  #entryAt(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle + 1] ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
