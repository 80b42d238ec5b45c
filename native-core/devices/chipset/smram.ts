// Control of the memory behind the VGA window for system management mode (82441FX 3.2.19, Q35 5.1.27): what firmware writes is kept, and locked
// when it says so. There is no such mode here (SMI never comes), so neither register opens anything.
import type { PciFunction } from "../pci/pci-function.ts";
import type { ChipsetModel } from "./models.ts";

const SMRAM = { D_OPEN: 0x40, D_CLS: 0x20, D_LCK: 0x10, G_SMRAME: 0x08, C_BASE_SEG: 0x02 } as const;
/** Q35's second register: H_SMRAME, size and enable of TSEG; the caches of SMM read as switched off. */
const ESMRAMC = { WRITABLE: 0x87, CACHES_OFF: 0x38 } as const;

export class SmramControl {
  readonly #bridge: PciFunction;
  readonly #register: number;
  readonly #extended: boolean;
  /** Both registers as they were before the write that `update` looks at. */
  #before = 0;
  #extendedBefore = 0;

  constructor(bridge: PciFunction, model: ChipsetModel) {
    this.#bridge = bridge;
    this.#register = model.smram;
    this.#extended = model.name === "q35";
    const writable = SMRAM.D_OPEN | SMRAM.D_CLS | SMRAM.D_LCK | SMRAM.G_SMRAME;
    bridge.addRegister(model.smram, 1, SMRAM.C_BASE_SEG, writable);
    if (this.#extended) bridge.addRegister(model.smram + 1, 1, ESMRAMC.CACHES_OFF, ESMRAMC.WRITABLE);
    this.forget();
  }

  /** The registers were set by a reset or a restore: only that ends a lock. */
  forget(): void {
    const { configBytes } = this.#bridge;
    this.#before = configBytes[this.#register] ?? 0;
    this.#extendedBefore = configBytes[this.#register + 1] ?? 0;
  }

  /** After a write to configuration space: takes back what a lock forbids. */
  update(): void {
    const { configBytes } = this.#bridge;
    const before = this.#before;
    let now = configBytes[this.#register] ?? 0;
    if (before & SMRAM.D_LCK) {
      const kept = SMRAM.D_LCK | SMRAM.D_OPEN | (this.#extended ? SMRAM.G_SMRAME : 0);
      now = (now & ~kept) | (before & kept);
      if (this.#extended) configBytes[this.#register + 1] = this.#extendedBefore;
    } else if (now & SMRAM.D_LCK) now &= ~SMRAM.D_OPEN;
    configBytes[this.#register] = now;
    this.forget();
  }
}
