// The PIIX4's power management function (00:01.3), by which firmware finds the ACPI registers (Intel 82371AB, 7.2). They stay where
// they are (devices/acpi): base and enable bit read as set up, and can't be changed.
import type { z } from "zod";
import { ACPI_PM_PORT } from "../acpi/acpi-pm.ts";
import type { Device } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";

export const POWER_MANAGEMENT_FUNCTION = 3;

/** Base of the I/O space of the registers, bit 0 = it is I/O space; and whether it is decoded. */
const PMBA = 0x40;
const PMBA_IO = 1;
/** Device activity B: says that system management mode was set up. There is none, and firmware must not wait for it. */
const DEVACTB = 0x58;
const DEVACTB_APMC_ENABLE = 1 << 25;
const PMREGMISC = 0x80;
const PMIOSE = 1;

export class PowerManagement implements Device<PciFunctionState> {
  readonly name = "pm";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<PciFunctionState>;
  readonly pci = new PciFunction({ vendorId: 0x8086, deviceId: 0x7113, classCode: 0x068000, revision: 3 });

  constructor() {
    this.pci.addRegister(PMBA, 4, ACPI_PM_PORT | PMBA_IO, 0);
    this.pci.addRegister(DEVACTB, 4, DEVACTB_APMC_ENABLE, 0);
    this.pci.addRegister(PMREGMISC, 1, PMIOSE, 0);
    this.stateSchema = this.pci.stateSchema;
  }

  reset(): void {
    this.pci.reset();
  }

  save(): PciFunctionState {
    return this.pci.save();
  }

  restore(state: PciFunctionState): void {
    this.pci.restore(state);
  }

  dispose(): void {
    this.pci.dispose();
  }
}
