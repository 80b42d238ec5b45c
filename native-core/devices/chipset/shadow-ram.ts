// RAM behind the ROMs of a PC, C0000h to FFFFFh, and the host bridge's attribute map that guards it (82441FX 3.2.18 and Q35 5.1.20, PAM0-6):
//
//   PAM0  7..4 F0000-FFFFF        PAM1  3..0 C0000-C3FFF, 7..4 C4000-C7FFF        ...        PAM6  3..0 E8000-EBFFF, 7..4 EC000-EFFFF
//   of each four bits: 0 reads go to RAM, 1 writes go to RAM
//
// Firmware copies itself there, opens the areas while it sets up, and locks them before it boots: read from RAM, writes to the bus, where nobody
// takes them. That combination is modelled. Where reads are switched off RAM answers nevertheless: after a reset it holds the same as the ROM.
import type { GuestMemory, IoBus } from "../device.ts";
import type { PciFunction } from "../pci/pci-function.ts";

const SHADOW = { start: 0xc_0000, system: 0xf_0000, end: 0x10_0000 } as const;
const AREA_BYTES = 0x4000;
const READ_ENABLE = 1;
const READ_OR_WRITE_ENABLE = 3;
const PAM_COUNT = 7;

export class ShadowRam {
  readonly #memory: GuestMemory;
  readonly #bridge: PciFunction;
  readonly #pam: number;
  /** One bit for each area of 16 KiB that is locked now. */
  #locked = 0;

  /** `pam`: offset of PAM0 in the host bridge's configuration space. */
  constructor(bus: IoBus, memory: GuestMemory, bridge: PciFunction, pam: number) {
    this.#memory = memory;
    this.#bridge = bridge;
    this.#pam = pam;
    for (let index = 0; index < PAM_COUNT; index++) bridge.addRegister(pam + index, 1, 0, index === 0 ? 0x30 : 0x33);
    // RAM comes first: only writes to what is locked arrive here, and reads of instructions that would write what they read.
    bus.mapMmio(SHADOW.start, SHADOW.end - SHADOW.start, {
      read: (offset, size) => {
        const bytes = new Uint8Array(4);
        memory.read(SHADOW.start + offset, bytes.subarray(0, size));
        return new DataView(bytes.buffer).getUint32(0, true);
      },
      write: () => {},
    });
  }

  /** Locks and unlocks what the registers say. */
  update(): void {
    for (let start: number = SHADOW.start, bit = 1; start < SHADOW.end; start += AREA_BYTES, bit <<= 1) {
      const locks = this.#locks(start);
      if (locks === ((this.#locked & bit) !== 0)) continue;
      this.#locked ^= bit;
      this.#memory.setReadOnly?.(start, AREA_BYTES, locks);
    }
  }

  #locks(address: number): boolean {
    const area = (address - SHADOW.start) / AREA_BYTES;
    // The system BIOS has the upper half of the first register, the areas below it two each of the others, lower half first.
    const [register, shift] = address >= SHADOW.system ? [0, 4] : [1 + (area >> 1), (area & 1) * 4];
    const attributes = (this.#bridge.configBytes[this.#pam + register] ?? 0) >> shift;
    return (attributes & READ_OR_WRITE_ENABLE) === READ_ENABLE;
  }
}
