// A virtio-gpu that starts as a VGA, as QEMU's virtio-vga (PCI 1AF4:1050): firmware, boot loaders and systems without a driver have the
// VGA with its VBE modes; from the moment a driver shows something, the picture is the virtio-gpu's.
//
//   BAR 0 video memory   BAR 1 MSI-X   BAR 2 VGA registers   BAR 4 virtio registers
import { z } from "zod";
import type { Device } from "../../device.ts";
import type { DisplayCursor, DisplaySize, DisplaySource, Rect } from "../../display-source.ts";
import { PciFunction } from "../../pci/pci-function.ts";
import { Vga, type VgaOptions, type VgaState } from "../../vga/vga.ts";
import { DEVICE_ID } from "../constants.ts";
import { VIRTIO_DEVICE_ID_BASE, VIRTIO_VENDOR_ID, VirtioPciDevice, type VirtioPciState } from "../pci-transport.ts";
import { VirtioGpu } from "./virtio-gpu.ts";

const PCI_ID = { vendorId: VIRTIO_VENDOR_ID, deviceId: VIRTIO_DEVICE_ID_BASE + DEVICE_ID.GPU } as const;

export interface VirtioVgaState {
  vga: VgaState;
  virtio: VirtioPciState;
}

export type VirtioVgaOptions = VgaOptions &
  Pick<ConstructorParameters<typeof VirtioPciDevice>[0], "memory" | "deliver" | "warn"> & {
    readonly monitor: DisplaySize;
  };

export class VirtioVga implements Device<VirtioVgaState> {
  readonly name = "virtio-vga";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<VirtioVgaState>;
  readonly pci: PciFunction;
  readonly display: DisplaySource;
  readonly gpu: VirtioGpu;
  // Both are the same PCI function; it is saved with either.
  readonly #vga: Vga;
  readonly #virtio: VirtioPciDevice;

  constructor(options: VirtioVgaOptions) {
    this.pci = new PciFunction({
      ...PCI_ID,
      ...{ classCode: 0x030000, revision: 1, interruptPin: 1 },
      ...{ subsystemVendorId: PCI_ID.vendorId, subsystemId: 0x1100 },
    });
    this.gpu = new VirtioGpu(options.memory, options.monitor);
    // First, because it brings MSI-X, which the function's saved state has to know of.
    this.#virtio = new VirtioPciDevice({ ...options, name: this.name, model: this.gpu, pci: this.pci });
    this.#vga = new Vga({ ...options, pci: this.pci, rom: options.rom && romFor(options.rom) });
    this.display = new EitherPicture(this.#vga.display, this.gpu);
    this.stateSchema = z.object({ vga: this.#vga.stateSchema, virtio: this.#virtio.stateSchema });
  }

  reset(): void {
    this.#vga.reset();
    this.#virtio.reset();
  }

  save(): VirtioVgaState {
    return { vga: this.#vga.save(), virtio: this.#virtio.save() };
  }

  restore(state: VirtioVgaState): void {
    this.#vga.restore(state.vga);
    this.#virtio.restore(state.virtio);
  }

  dispose(): void {
    this.#vga.dispose();
    this.#virtio.dispose();
  }
}

class EitherPicture implements DisplaySource {
  readonly #vga: DisplaySource;
  readonly #gpu: VirtioGpu;
  #drawn: DisplaySource | undefined;

  constructor(vga: DisplaySource, gpu: VirtioGpu) {
    this.#vga = vga;
    this.#gpu = gpu;
  }

  get #shown(): DisplaySource {
    return this.#gpu.scanout.active ? this.#gpu.scanout : this.#vga;
  }

  size(): DisplaySize {
    return this.#shown.size();
  }

  get cursor(): DisplayCursor | undefined {
    return this.#shown.cursor;
  }

  render(pixels: Uint32Array, everything: boolean): Rect[] {
    const shown = this.#shown;
    const isAnother = shown !== this.#drawn;
    this.#drawn = shown;
    return shown.render(pixels, everything || isAnother);
  }
}

/** Where an option ROM points to its PCI data structure, and the byte that makes its sum 0 (SeaBIOS's header). */
const ROM = { CHECKSUM: 6, PCI_DATA: 0x18, BLOCK_BYTES: 512 } as const;

/** The VGA BIOS of the standard VGA with the identification of this adapter: a BIOS runs a ROM only where it belongs. */
function romFor(rom: Uint8Array): Uint8Array {
  const copy = rom.slice();
  const view = new DataView(copy.buffer);
  if (copy.length < ROM.BLOCK_BYTES) return copy;
  const data = view.getUint16(ROM.PCI_DATA, true);
  if (data + 8 > copy.length || view.getUint32(data, true) !== 0x52494350) return copy;
  view.setUint16(data + 4, PCI_ID.vendorId, true);
  view.setUint16(data + 6, PCI_ID.deviceId, true);
  copy[ROM.CHECKSUM] = 0;
  const length = Math.min(copy.length, (copy[2] ?? 0) * ROM.BLOCK_BYTES);
  let sum = 0;
  for (let at = 0; at < length; at++) sum += copy[at] ?? 0;
  copy[ROM.CHECKSUM] = -sum & 0xff;
  return copy;
}
