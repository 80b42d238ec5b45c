// PCI configuration space in memory (PCI Express 7.2.2), switched on and placed by the Q35 host bridge's PCIEXBAR (60h):
//
//   bits 35..28 base, 2..1 length (0: 256 MiB), 0 enable        address: | bus 27..20 | slot 19..15 | function 14..12 | register 11..0 |
import type { SystemBus } from "../bus.ts";
import { allOnes } from "../bus.ts";
import type { IoHandler, IoMapping } from "../device.ts";
import type { PciFunction } from "../pci/pci-function.ts";
import { ECAM_BYTES } from "./models.ts";

export const PCIEXBAR = 0x60;
export const PCIEXBAR_ENABLE = 1;
const BASE_MASK = 0xf000_0000;

/** Plain configuration space; what lies behind it, up to 4 KiB, reads as zeroes: no extended capabilities. */
const CONFIG_BYTES = 256;

export class Ecam {
  readonly #bus: SystemBus;
  readonly #bridge: PciFunction;
  readonly #handler: IoHandler;
  readonly #ramEnd: number;
  #mapping: IoMapping | undefined;
  #base: number | undefined;

  /** `functionAt` finds a function of bus 0 by slot * 8 + number. */
  constructor(
    bus: SystemBus,
    bridge: PciFunction,
    ramEnd: number,
    functionAt: (place: number) => PciFunction | undefined,
  ) {
    this.#bus = bus;
    this.#bridge = bridge;
    this.#ramEnd = ramEnd;
    const find = (offset: number): PciFunction | undefined =>
      offset < 1 << 20 ? functionAt((offset >>> 12) & 0xff) : undefined;
    this.#handler = {
      read: (offset, size) => {
        const found = find(offset);
        if (!found || size === 8) return allOnes(4);
        const register = offset & 0xfff;
        return register + size <= CONFIG_BYTES ? found.readConfig(register, size) : 0;
      },
      write: (offset, size, value) => {
        const register = offset & 0xfff;
        if (size !== 8 && register + size <= CONFIG_BYTES) find(offset)?.writeConfig(register, size, value);
      },
    };
    bridge.addRegister(PCIEXBAR, 4, 0, (BASE_MASK | PCIEXBAR_ENABLE) >>> 0);
    bridge.addRegister(PCIEXBAR + 4, 4, 0, 0);
  }

  /** Puts the window where the register says. Over RAM or a device it does not decode. */
  update(): void {
    const value = this.#bridge.readConfig(PCIEXBAR, 4);
    const base = value & PCIEXBAR_ENABLE ? (value & BASE_MASK) >>> 0 : undefined;
    if (base === this.#base && (base === undefined) === (this.#mapping === undefined)) return;
    this.#mapping?.unmap();
    this.#mapping = undefined;
    this.#base = base;
    if (base === undefined || base < this.#ramEnd || !this.#bus.mmioFree(base, ECAM_BYTES)) return;
    this.#mapping = this.#bus.mapMmio(base, ECAM_BYTES, this.#handler);
  }
}
