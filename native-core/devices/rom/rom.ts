// Firmware ROM below 4 GiB, where the processor fetches its first instruction. Reads come from the image, writes go nowhere.
// Its contents are no state: they come with the machine's firmware.
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import type { AccessSize, Device, IoBus, IoHandler, IoMapping } from "../device.ts";

const ADDRESS_SPACE_END = 2 ** 32;

const stateSchema = z.strictObject({});

export class FirmwareRom implements Device<Record<string, never>>, IoHandler {
  readonly name = "rom";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #view: DataView;
  readonly #mapping: IoMapping;

  /** `image` ends at 4 GiB; a multiple of 4 bytes. */
  constructor(bus: IoBus, image: Uint8Array) {
    assert(image.length > 0 && image.length % 4 === 0, "a ROM is a number of doublewords");
    this.#view = new DataView(image.buffer, image.byteOffset, image.length);
    this.#mapping = bus.mapMmio(ADDRESS_SPACE_END - image.length, image.length, this);
  }

  read(offset: number, size: AccessSize): number {
    if (size === 1) return this.#view.getUint8(offset);
    return size === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint32(offset, true);
  }

  write(): void {}

  reset(): void {}

  save(): Record<string, never> {
    return {};
  }

  restore(): void {}

  dispose(): void {
    this.#mapping.unmap();
  }
}
