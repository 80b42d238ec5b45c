// What firmware is to the machine: the thing that runs first after power-on and reset.
import type { Vcpu } from "../cpu/vcpu-contract.ts";
import type { SystemBus } from "../devices/bus.ts";
import type { ChipsetModel } from "../devices/chipset/models.ts";
import type { GuestMemory } from "../devices/device.ts";
import type { FwCfgContent } from "../devices/fw-cfg/fw-cfg.ts";
import type { PciBus } from "../devices/pci/pci-bus.ts";

export interface FirmwareTarget {
  /** The bootstrap processor. */
  readonly vcpu: Vcpu;
  /** All processors, the bootstrap processor first. The others wait to be started. */
  readonly vcpus: readonly Vcpu[];
  readonly memory: GuestMemory;
  readonly bus: SystemBus;
  readonly pci: PciBus;
  readonly chipset: ChipsetModel;
}

/** Puts code into RAM and the processor into a state to run it. Devices have just been reset. */
export interface Firmware {
  /** Image in ROM, ending at 4 GiB. */
  readonly rom?: Uint8Array;
  /** Option ROM of the display adapter. */
  readonly videoRom?: Uint8Array;
  /** Option ROMs that boot from the network, by model of network adapter. */
  readonly adapterRoms?: ReadonlyMap<string, Uint8Array>;
  /** What the firmware reads about the machine. */
  readonly fwCfg?: FwCfgContent;
  start(target: FirmwareTarget): void;
}
