// The chipset's identity and odds and ends: host bridge and ISA bridge as PCI functions (models.ts says which), the PIRQ routing
// registers, port 0x92 and the reset control register 0xCF9.
import { z } from "zod";
import { ACPI_PM_PORT } from "../acpi/acpi-pm.ts";
import { byteWide } from "../bus.ts";
import type { Device, GuestMemory, InterruptLine, IoBus } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import type { PowerControl } from "../power.ts";
import { arrayOf, flag, u8 } from "../state-schema.ts";
import type { ChipsetModel } from "./models.ts";
import type { A20Gate } from "./processor-pins.ts";
import { ShadowRam } from "./shadow-ram.ts";
import { SmramControl } from "./smram.ts";

export const HOST_BRIDGE_SLOT = 0;

const SYSTEM_CONTROL_A_PORT = 0x92;
const SYSTEM_CONTROL_A = { RESET: 0x01, A20: 0x02 } as const;
/** A write ends the interrupt of an x87 exception and lets the processor go on in spite of it. */
const NUMERIC_ERROR_PORT = 0xf0;
/** Interrupt delay port of the POST: a write takes a microsecond on real buses, and guests use it to wait. */
const POST_PORT = 0x80;
const RESET_CONTROL = { SYSTEM_RESET: 0x02, RESET_CPU: 0x04, FULL: 0x08 } as const;

/** PIIX3 PIRQRC[A:D]: bit 7 = not routed, else the ISA interrupt. */
export const PIRQ_ROUTE = 0x60;
const PIRQ_OFF = 0x80;
export const PIRQ_COUNT = 4;
/** What ICH9 has beside the routing of wires A to D: the same for E to H, which lead nowhere. */
const PIRQ_ROUTE_EH = 0x68;
const ICH9 = { PM_BASE: 0x40, ACPI_CONTROL: 0x44, RCBA: 0xf0 } as const;
/** ISA interrupts a PIRQ may be steered to (82371SB 2.3.3.5). */
const ROUTABLE = 0b1101_1110_1111_1000;

interface ChipsetState {
  hostBridge: PciFunctionState;
  isaBridge: PciFunctionState;
  systemControlA: number;
  resetControl: number;
  wires: boolean[];
  numericError: boolean;
}

export interface ChipsetParts {
  model: ChipsetModel;
  bus: IoBus;
  /** RAM, of which the part below 1 MiB can be locked. */
  memory: GuestMemory;
  power: PowerControl;
  /** Input of the 8259 pair for an ISA interrupt. */
  isaLine(irq: number): InterruptLine;
  a20: A20Gate;
  /** The interrupt of x87 exceptions (IRQ 13). */
  numericErrorIrq: InterruptLine;
  /** To the processors' IGNNE#. */
  ignoreNumericErrors(): void;
}

export class Chipset implements Device<ChipsetState> {
  readonly name = "chipset";
  readonly stateVersion = 2;
  readonly hostBridge: PciFunction;
  readonly isaBridge: PciFunction;
  /** The host bridge's registers have changed, by a write, a reset or a restore. */
  onHostBridgeChange: (() => void) | undefined;
  readonly stateSchema: z.ZodType<ChipsetState>;
  readonly #shadowRam: ShadowRam;
  readonly #smram: SmramControl;
  readonly #power: PowerControl;
  readonly #isaLines: readonly InterruptLine[];
  readonly #wires = new Array<boolean>(PIRQ_COUNT).fill(false);
  readonly #a20: A20Gate;
  readonly #numericErrorIrq: InterruptLine;
  /** Bit 0 of port 92h as written last. */
  #fastReset = false;
  #resetControl = 0;
  #numericError = false;
  /** ISA interrupts driven from here; others belong to ISA devices and are left alone. */
  #driven = 0;

  constructor(parts: ChipsetParts) {
    const { model } = parts;
    this.hostBridge = new PciFunction({
      ...{ vendorId: 0x8086, deviceId: model.hostBridgeId, classCode: 0x060000, revision: 2 },
      // By these SeaBIOS knows that the board has fw_cfg.
      ...{ subsystemVendorId: 0x1af4, subsystemId: 0x1100 },
    });
    this.isaBridge = new PciFunction({
      vendorId: 0x8086,
      deviceId: model.isaBridgeId,
      classCode: 0x060100,
      multifunction: true,
    });
    this.#power = parts.power;
    this.#a20 = parts.a20;
    this.#numericErrorIrq = parts.numericErrorIrq;
    this.#isaLines = Array.from({ length: 16 }, (_, irq) => parts.isaLine(irq));
    for (let wire = 0; wire < PIRQ_COUNT; wire++) this.isaBridge.addRegister(PIRQ_ROUTE + wire, 1, PIRQ_OFF, 0x8f);
    this.#shadowRam = new ShadowRam(parts.bus, parts.memory, this.hostBridge, model.pam);
    this.#smram = new SmramControl(this.hostBridge, model);
    if (model.name === "q35") this.#addRegistersOfQ35();
    this.hostBridge.onConfigWrite = () => {
      this.#smram.update();
      this.#shadowRam.update();
      this.onHostBridgeChange?.();
    };
    this.isaBridge.onConfigWrite = (offset, size) => {
      if (offset < PIRQ_ROUTE + PIRQ_COUNT && offset + size > PIRQ_ROUTE) this.#route();
    };
    this.stateSchema = z.strictObject({
      hostBridge: this.hostBridge.stateSchema,
      isaBridge: this.isaBridge.stateSchema,
      systemControlA: u8,
      resetControl: u8,
      wires: arrayOf(flag, PIRQ_COUNT),
      numericError: flag.default(false),
    });
    parts.bus.mapPorts(
      SYSTEM_CONTROL_A_PORT,
      1,
      byteWide(
        () => this.#systemControlA,
        (_, value) => {
          if (value & SYSTEM_CONTROL_A.RESET && !this.#fastReset) this.#power.requestReset();
          this.#systemControlA = value;
        },
      ),
    );
    parts.bus.mapPorts(
      NUMERIC_ERROR_PORT,
      1,
      byteWide(
        () => 0xff,
        () => {
          this.#setNumericError(false);
          parts.ignoreNumericErrors();
        },
      ),
    );
    parts.bus.mapPorts(
      POST_PORT,
      1,
      byteWide(
        () => 0,
        () => {},
      ),
    );
  }

  /** The power management registers stay where the board has them, whatever is written. */
  #addRegistersOfQ35(): void {
    this.isaBridge.addRegister(ICH9.PM_BASE, 4, ACPI_PM_PORT | 1, 0);
    this.isaBridge.addRegister(ICH9.ACPI_CONTROL, 1, 0x80, 0);
    for (let wire = 0; wire < PIRQ_COUNT; wire++) this.isaBridge.addRegister(PIRQ_ROUTE_EH + wire, 1, PIRQ_OFF, 0x8f);
    this.isaBridge.addRegister(ICH9.RCBA, 4, 0, 0xffff_c001);
  }

  get #systemControlA(): number {
    return (this.#fastReset ? SYSTEM_CONTROL_A.RESET : 0) | (this.#a20.enabled ? SYSTEM_CONTROL_A.A20 : 0);
  }

  set #systemControlA(value: number) {
    this.#fastReset = (value & SYSTEM_CONTROL_A.RESET) !== 0;
    this.#a20.enabled = (value & SYSTEM_CONTROL_A.A20) !== 0;
  }

  /** A processor asserts FERR#. */
  numericError(): void {
    this.#setNumericError(true);
  }

  #setNumericError(level: boolean): void {
    this.#numericError = level;
    this.#numericErrorIrq.set(level);
  }

  /** PIRQ wire 0..3 as it reaches the 8259 pair; the I/O APIC has it on a pin of its own. */
  pirqLine(wire: number): InterruptLine {
    return {
      set: (level) => {
        if (this.#wires[wire] === level) return;
        this.#wires[wire] = level;
        this.#route();
      },
    };
  }

  /** Register 0xCF9, which the host bridge finds inside CONFIG_ADDRESS. */
  readonly resetControl = {
    read: (): number => this.#resetControl,
    write: (value: number): void => {
      const rising = value & ~this.#resetControl & RESET_CONTROL.RESET_CPU;
      this.#resetControl = value & (RESET_CONTROL.SYSTEM_RESET | RESET_CONTROL.FULL | RESET_CONTROL.RESET_CPU);
      if (rising) this.#power.requestReset();
    },
  };

  reset(): void {
    this.hostBridge.reset();
    this.isaBridge.reset();
    this.#systemControlA = SYSTEM_CONTROL_A.A20;
    this.#resetControl = 0;
    this.#setNumericError(false);
    this.#wires.fill(false);
    this.#route();
    this.#hostBridgeSet();
  }

  save(): ChipsetState {
    return {
      hostBridge: this.hostBridge.save(),
      isaBridge: this.isaBridge.save(),
      systemControlA: this.#systemControlA,
      resetControl: this.#resetControl,
      wires: [...this.#wires],
      numericError: this.#numericError,
    };
  }

  restore(state: ChipsetState): void {
    this.hostBridge.restore(state.hostBridge);
    this.isaBridge.restore(state.isaBridge);
    this.#systemControlA = state.systemControlA;
    this.#setNumericError(state.numericError);
    this.#resetControl =
      state.resetControl & (RESET_CONTROL.SYSTEM_RESET | RESET_CONTROL.FULL | RESET_CONTROL.RESET_CPU);
    for (let wire = 0; wire < PIRQ_COUNT; wire++) this.#wires[wire] = state.wires[wire] ?? false;
    this.#route();
    this.#hostBridgeSet();
  }

  /** The host bridge has the registers of a reset or of a saved state. */
  #hostBridgeSet(): void {
    this.#smram.forget();
    this.#shadowRam.update();
    this.onHostBridgeChange?.();
  }

  /** Drives every steerable ISA interrupt with the OR of the wires that are routed to it. */
  #route(): void {
    let routed = 0;
    let asserted = 0;
    for (let wire = 0; wire < PIRQ_COUNT; wire++) {
      const route = this.isaBridge.configBytes[PIRQ_ROUTE + wire] ?? PIRQ_OFF;
      if ((route & PIRQ_OFF) !== 0) continue;
      routed |= 1 << route;
      if (this.#wires[wire]) asserted |= 1 << route;
    }
    const known = routed | this.#driven;
    for (let irq = 0; irq < 16; irq++) {
      if ((known & ROUTABLE & (1 << irq)) !== 0) this.#isaLines[irq]?.set((asserted & (1 << irq)) !== 0);
    }
    this.#driven = routed;
  }
}
