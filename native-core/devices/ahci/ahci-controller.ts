// An AHCI adapter (as Intel's ICH9, PCI 8086:2922): SATA disks for systems without virtio drivers, one per port.
import { z } from "zod";
import type { AccessSize, Device, GuestMemory } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { flag } from "../state-schema.ts";
import { type AhciDiskParts, AhciPort, type PortState, portStateSchema } from "./ahci-port.ts";
import { AHCI_VERSION, HBA, HBA_CAP, HBA_GHC, PORT_BASE, PORT_BYTES } from "./registers.ts";

const BAR_INDEX = 5;
const BAR_BYTES = 4096;

interface AhciState {
  pci: PciFunctionState;
  interrupts: boolean;
  ports: PortState[];
}

export class AhciController implements Device<AhciState> {
  readonly name = "ahci";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<AhciState>;
  readonly pci = new PciFunction({
    ...{ vendorId: 0x8086, deviceId: 0x2922, classCode: 0x010601, revision: 2 },
    interruptPin: 1,
  });
  readonly #ports: readonly AhciPort[];
  #interrupts = false;

  constructor(memory: GuestMemory, disks: readonly AhciDiskParts[]) {
    this.#ports = disks.map((disk) => new AhciPort(disk, memory, () => this.#update()));
    this.pci.addBar({
      ...{ index: BAR_INDEX, kind: "memory", sizeBytes: BAR_BYTES },
      handler: {
        read: (offset, size) => this.#read(offset, size),
        write: (offset, _size, value) => this.#write(offset, value),
      },
    });
    this.stateSchema = z.strictObject({
      pci: this.pci.stateSchema,
      interrupts: flag,
      ports: z.array(portStateSchema).length(this.#ports.length),
    });
  }

  reset(): void {
    this.pci.reset();
    this.#resetAdapter();
  }

  save(): AhciState {
    return { pci: this.pci.save(), interrupts: this.#interrupts, ports: this.#ports.map((port) => port.save()) };
  }

  restore(state: AhciState): void {
    this.pci.restore(state.pci);
    this.#interrupts = state.interrupts;
    for (const [index, port] of this.#ports.entries()) {
      const saved = state.ports[index];
      if (saved) port.restore(saved);
    }
    this.#update();
  }

  dispose(): void {
    this.pci.dispose();
  }

  #read(offset: number, size: AccessSize): number {
    const value = this.#register(offset & ~3);
    const shifted = value >>> (8 * (offset & 3));
    return size >= 4 ? shifted : shifted & (2 ** (8 * size) - 1);
  }

  #register(offset: number): number {
    if (offset >= PORT_BASE) {
      const port = this.#ports[Math.floor((offset - PORT_BASE) / PORT_BYTES)];
      return (port?.read((offset - PORT_BASE) % PORT_BYTES) ?? 0) >>> 0;
    }
    switch (offset) {
      case HBA.CAP:
        return (
          (HBA_CAP.SLOTS_32 | HBA_CAP.AHCI_ONLY | HBA_CAP.GEN1 | HBA_CAP.ADDRESS_64 | (this.#ports.length - 1)) >>> 0
        );
      case HBA.GHC:
        return (HBA_GHC.AHCI | (this.#interrupts ? HBA_GHC.INTERRUPTS : 0)) >>> 0;
      case HBA.IS:
        return this.#ports.reduce((bits, port, index) => bits | (port.interrupt ? 1 << index : 0), 0);
      case HBA.PI:
        return 2 ** this.#ports.length - 1;
      case HBA.VS:
        return AHCI_VERSION;
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    if (offset % 4 !== 0) return;
    if (offset >= PORT_BASE) {
      this.#ports[Math.floor((offset - PORT_BASE) / PORT_BYTES)]?.write((offset - PORT_BASE) % PORT_BYTES, value);
    } else if (offset === HBA.GHC) {
      if (value & HBA_GHC.RESET) this.#resetAdapter();
      else this.#interrupts = (value & HBA_GHC.INTERRUPTS) !== 0;
    }
    this.#update();
  }

  #resetAdapter(): void {
    this.#interrupts = false;
    for (const port of this.#ports) port.reset();
    this.#update();
  }

  #update(): void {
    this.pci.setInterrupt(this.#interrupts && this.#ports.some((port) => port.interrupt));
  }
}
