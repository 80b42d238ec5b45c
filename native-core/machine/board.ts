// The board: devices on their buses, and the interrupt wiring between them.
//
//   ISA device --> irq n --+--> 8259 pair --> LINT0 --> local APIC 0 --> vCPU 0
//                          +--> I/O APIC pin (0 becomes 2, others n) --> message
//   PCI INTx --> PIRQ wire --+--> PIIX3 routing --> 8259 pair
//                            +--> I/O APIC pin 16..19
//   MSI-X, IPI, I/O APIC --> messages --> local APICs --> vCPUs
//
// Both paths are live as on real boards; the guest masks the one it does not use.
import { ACPI_GPE, ACPI_SCI_IRQ, AcpiPm } from "../devices/acpi/acpi-pm.ts";
import { HOT_PLUG_SLOTS, HotPlug } from "../devices/acpi/hot-plug.ts";
import { SystemBus } from "../devices/bus.ts";
import { Chipset, HOST_BRIDGE_SLOT, PIRQ_COUNT } from "../devices/chipset/chipset.ts";
import { Ecam } from "../devices/chipset/ecam.ts";
import type { ChipsetModel } from "../devices/chipset/models.ts";
import { A20Gate, type ProcessorPins } from "../devices/chipset/processor-pins.ts";
import type { Device, GuestMemory, Inputs, InterruptLine } from "../devices/device.ts";
import { GenerationId } from "../devices/generation-id/generation-id.ts";
import { Hpet } from "../devices/hpet/hpet.ts";
import { IoApic } from "../devices/ioapic/ioapic.ts";
import { KvmClock } from "../devices/kvm-clock/kvm-clock.ts";
import { InterruptBus } from "../devices/lapic/interrupt-bus.ts";
import { Lapic, type LapicProcessor } from "../devices/lapic/lapic.ts";
import { PciBus } from "../devices/pci/pci-bus.ts";
import type { PciFunction } from "../devices/pci/pci-function.ts";
import { Pic } from "../devices/pic/pic.ts";
import { Pit } from "../devices/pit/pit.ts";
import type { PowerControl } from "../devices/power.ts";
import { Ps2Controller } from "../devices/ps2/ps2.ts";
import { PS2_KEYBOARD_IRQ, PS2_MOUSE_IRQ } from "../devices/ps2/registers.ts";
import { RTC_IRQ } from "../devices/rtc/registers.ts";
import { Rtc } from "../devices/rtc/rtc.ts";
import { type ByteSink, Uart } from "../devices/uart/uart.ts";
import type { Vram } from "../devices/vga/vram.ts";
import type { MachineClock } from "./clock.ts";

const PIT_IRQ = 0;
const NUMERIC_ERROR_IRQ = 13;
/** Input of the I/O APIC that ISA interrupt 0 is wired to; the MADT tells guests. */
const PIT_IOAPIC_PIN = 2;
/** Input that the 8259 pair is wired to: an entry with delivery mode ExtINT passes its interrupts on. */
const PIC_IOAPIC_PIN = 0;
const FIRST_PIRQ_PIN = 16;
/** Below it sit functions of the chipset. */
const FIRST_FREE_SLOT = 2;

/** What a plugged-in device may use. */
export interface BoardServices {
  readonly bus: SystemBus;
  readonly clock: MachineClock;
  readonly memory: GuestMemory;
  /** Video memory that the vCPU reaches directly; undefined where the processor maps none. */
  readonly videoMemory: Vram | undefined;
  readonly inputs: Inputs;
  readonly power: PowerControl;
  /** Input `irq` (0..15) of both interrupt controllers. Devices on one input share it. */
  isaLine(irq: number): InterruptLine;
  /** Host work began that the guest may poll for: the host gets its turn soon and often until the result is called. */
  awaitHost(): () => void;
  /** Brings the result of host work into the machine at a defined point (machine/inputs.ts). */
  deliver(apply: () => void): void;
  /** Whether no vCPU has anything to do: the guest waits for a timer or for the host. */
  isIdle(): boolean;
  /** Guest misbehaviour worth a line in the log. Rate-limited. */
  warn(message: string): void;
}

/** A device on the PCI bus. The device's state holds that of its function. */
export interface PciDevice extends Device {
  readonly pci: PciFunction;
}

/** Makes one device; `slot` undefined takes the next free one. */
export interface PciCard {
  slot?: number;
  /** Of the slot's device; 0 unless the board shares a slot among functions. */
  functionNumber?: number;
  create(services: BoardServices): PciDevice;
}

/** Makes a device that is not on the PCI bus. */
export type IsaCard = (services: BoardServices) => Device;

export interface BoardParts {
  /** Type of drive A: as CMOS RAM names it. */
  floppyType?: number | undefined;
  chipset: ChipsetModel;
  services: Omit<BoardServices, "isaLine">;
  memoryBytes: number;
  /** What the real-time clock shows beside UTC. */
  rtcZoneMs?: number | undefined;
  /** 16 bytes that tell this machine from its copies. */
  generationId: Uint8Array | undefined;
  serial: readonly [ByteSink, ByteSink];
  cards: readonly PciCard[];
  isaCards?: readonly IsaCard[];
  /** The vCPUs as their local APICs and the chipset drive them. */
  processors: readonly (LapicProcessor & Partial<ProcessorPins>)[];
  /** Index of the vCPU that executes now. */
  running: () => number;
  /** What each vCPU's guest has added to its time-stamp counter. */
  tscOffsets: readonly (() => bigint)[];
}

export class Board {
  /** One for each vCPU. */
  readonly lapics: readonly Lapic[];
  readonly ioapic: IoApic;
  readonly pic: Pic;
  readonly pci: PciBus;
  readonly uarts: readonly [Uart, Uart];
  readonly ps2: Ps2Controller;
  readonly acpi: AcpiPm;
  readonly kvmClock: KvmClock;
  readonly generationId: GenerationId;
  readonly hotPlug: HotPlug;
  /** In order of restoring: interrupt controllers last, so that what lines did meanwhile does not count. */
  readonly devices: readonly Device[];
  readonly #services: BoardServices;
  /** Devices in slots that can be plugged. */
  readonly #plugged = new Map<number, PciDevice>();
  readonly #devices: Device[];
  /** The guest let go of the device of this name, or it was taken out. */
  onRemoved: ((name: string) => void) | undefined;

  constructor(parts: BoardParts) {
    const { bus, clock, inputs, power } = parts.services;
    const messages = new InterruptBus(bus, parts.running);
    this.lapics = parts.processors.map(
      (processor, index) =>
        new Lapic({
          index,
          messages,
          clock,
          processor,
          broadcastEoi: (vector) => this.ioapic.endOfInterrupt(vector),
          acknowledgeExtInt: () => this.pic.acknowledge(),
        }),
    );
    // The 8259 pair is wired to the bootstrap processor and to the I/O APIC (MP specification 3.6.2.2, 3.6.2.3).
    this.ioapic = new IoApic(bus, messages);
    const lint0: InterruptLine = { set: (level) => this.lapics[0]?.setExtInt(level) };
    this.pic = new Pic(bus, both(lint0, this.ioapic.line(PIC_IOAPIC_PIN)));
    const isaInputs = Array.from({ length: 16 }, (_, irq) => this.#isaInput(irq));
    const services: BoardServices = { ...parts.services, isaLine: (irq) => (isaInputs[irq] as SharedInput).line() };
    this.#services = services;
    const { isaLine } = services;

    const { processors } = parts;
    const a20 = new A20Gate((enabled) => processors[0]?.enableA20?.(enabled));
    const { chipset: model } = parts;
    const chipset = new Chipset({
      model,
      bus,
      memory: parts.services.memory,
      power,
      isaLine: (irq) => this.pic.line(irq),
      a20,
      numericErrorIrq: isaLine(NUMERIC_ERROR_IRQ),
      ignoreNumericErrors: () => {
        for (const processor of processors) processor.ignoreNumericErrors?.();
      },
    });
    for (const processor of processors) processor.onNumericError = () => chipset.numericError();
    this.pci = new PciBus({
      bus,
      wireOf: model.wireOf,
      messages,
      wires: Array.from({ length: PIRQ_COUNT }, (_, wire) =>
        both(chipset.pirqLine(wire), this.ioapic.line(FIRST_PIRQ_PIN + wire)),
      ),
      ramEnd: parts.memoryBytes,
      resetControl: chipset.resetControl,
    });
    this.pci.attach(HOST_BRIDGE_SLOT, 0, chipset.hostBridge);
    this.pci.attach(model.isaBridgeSlot, 0, chipset.isaBridge);
    if (model.hasEcam) {
      const ecam = new Ecam(bus, chipset.hostBridge, parts.memoryBytes, (place) => this.pci.functionAt(place));
      chipset.onHostBridgeChange = () => ecam.update();
    }

    const pitLine = new GatedLine(isaLine(PIT_IRQ));
    const rtcLine = new GatedLine(isaLine(RTC_IRQ));
    const hpet = new Hpet({
      ...{ bus, clock, legacy: [isaLine(PIT_IRQ), isaLine(RTC_IRQ)] },
      ioapicLine: (pin) => this.ioapic.line(pin),
      legacyChanged: (on) => {
        pitLine.open = !on;
        rtcLine.open = !on;
      },
    });
    const pit = new Pit(bus, clock, pitLine);
    const rtc = new Rtc({
      ...{ bus, clock, inputs, irq: rtcLine },
      memoryBytes: parts.memoryBytes,
      floppyType: parts.floppyType,
      zoneMs: parts.rtcZoneMs,
    });
    this.acpi = new AcpiPm({ bus, clock, sci: isaLine(ACPI_SCI_IRQ), power });
    this.kvmClock = new KvmClock({ memory: parts.services.memory, clock, inputs, tscOffsets: parts.tscOffsets });
    this.generationId = new GenerationId({
      bus,
      id: parts.generationId,
      notify: () => this.acpi.raise(ACPI_GPE.GENERATION_ID),
    });
    this.hotPlug = new HotPlug({
      bus,
      notify: () => this.acpi.raise(ACPI_GPE.PCI_HOT_PLUG),
      ejected: (slot) => this.#remove(slot),
    });
    this.ps2 = new Ps2Controller({
      bus,
      keyboardIrq: isaLine(PS2_KEYBOARD_IRQ),
      mouseIrq: isaLine(PS2_MOUSE_IRQ),
      power,
      a20,
    });
    this.uarts = [
      new Uart(0, bus, isaLine(Uart.irq(0)), parts.serial[0]),
      new Uart(1, bus, isaLine(Uart.irq(1)), parts.serial[1]),
    ];
    const cards = this.#plugIn(parts.cards, services);
    const isaCards = (parts.isaCards ?? []).map((create) => create(services));
    this.#devices = [
      chipset,
      this.pci,
      hpet,
      pit,
      rtc,
      this.kvmClock,
      this.acpi,
      this.generationId,
      this.hotPlug,
      this.ps2,
      ...this.uarts,
      ...cards,
      ...isaCards,
      this.pic,
      this.ioapic,
      ...this.lapics,
    ];
    this.devices = this.#devices;
  }

  /** Plugs a card into its slot, which must be one that can be plugged, and tells the guest. */
  plug(card: PciCard): void {
    const [device] = this.#plugIn([card], this.#services);
    if (!device) return;
    device.reset();
    // Before the interrupt controllers, as every card.
    this.#devices.splice(this.#devices.indexOf(this.pic), 0, device);
    this.hotPlug.plugged(card.slot ?? 0);
  }

  /** Whether a slot that can be plugged is empty. */
  isFree(slot: number): boolean {
    return !this.#plugged.has(slot);
  }

  /** Asks the guest to let go of a device, or takes it away; `onRemoved` tells when it is gone. False: there is none of that name. */
  unplug(name: string, force: boolean): boolean {
    for (const [slot, device] of this.#plugged) {
      if (device.name !== name) continue;
      if (force) this.#remove(slot);
      else this.hotPlug.askToRemove(slot);
      return true;
    }
    return false;
  }

  #remove(slot: number): void {
    const device = this.#plugged.get(slot);
    if (!device) return;
    this.#plugged.delete(slot);
    this.hotPlug.removed(slot);
    // Its registers are gone at once; what it still has under way ends without it.
    device.reset();
    this.pci.detach(slot);
    device.dispose?.();
    this.#devices.splice(this.#devices.indexOf(device), 1);
    this.onRemoved?.(device.name);
  }

  dispose(): void {
    for (const device of [...this.devices].reverse()) device.dispose?.();
  }

  #isaInput(irq: number): SharedInput {
    const pin = irq === PIT_IRQ ? PIT_IOAPIC_PIN : irq;
    return new SharedInput(both(this.pic.line(irq), this.ioapic.line(pin)));
  }

  #plugIn(cards: readonly PciCard[], services: BoardServices): PciDevice[] {
    const taken = new Set(cards.map((card) => card.slot ?? -1));
    let next = FIRST_FREE_SLOT - 1;
    return cards.map((card) => {
      let slot = card.slot;
      if (slot === undefined) {
        do next++;
        while (taken.has(next));
        slot = next;
      }
      const device = card.create(services);
      this.pci.attach(slot, card.functionNumber ?? 0, device.pci);
      if (HOT_PLUG_SLOTS.includes(slot)) this.#plugged.set(slot, device);
      return device;
    });
  }
}

/** One input that several devices drive: high while any of them is. */
class SharedInput {
  readonly #input: InterruptLine;
  #drivers = 0;
  #asserted = 0;

  constructor(input: InterruptLine) {
    this.#input = input;
  }

  line(): InterruptLine {
    const bit = 1 << this.#drivers++;
    return {
      set: (level) => {
        this.#asserted = level ? this.#asserted | bit : this.#asserted & ~bit;
        this.#input.set(this.#asserted !== 0);
      },
    };
  }
}

/** A line that can be cut off: low then, whatever drives it. */
class GatedLine implements InterruptLine {
  readonly #line: InterruptLine;
  #level = false;
  #open = true;

  constructor(line: InterruptLine) {
    this.#line = line;
  }

  set open(open: boolean) {
    this.#open = open;
    this.#line.set(open && this.#level);
  }

  set(level: boolean): void {
    this.#level = level;
    this.#line.set(this.#open && level);
  }
}

function both(first: InterruptLine, second: InterruptLine): InterruptLine {
  return {
    set(level) {
      first.set(level);
      second.set(level);
    },
  };
}
