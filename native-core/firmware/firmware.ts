// What firmware is to the machine: the thing that runs first after power-on and reset.
import type { Vcpu } from "../cpu/vcpu-contract.ts";
import type { SystemBus } from "../devices/bus.ts";
import type { GuestMemory } from "../devices/device.ts";
import type { PciBus } from "../devices/pci/pci-bus.ts";

export interface FirmwareTarget {
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly bus: SystemBus;
  readonly pci: PciBus;
}

/** Puts code into RAM and the processor into a state to run it. Devices have just been reset. */
export interface Firmware {
  start(target: FirmwareTarget): void;
}
