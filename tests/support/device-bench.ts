// A bench for device models: a real bus, a clock whose time the test sets, and wires that record what they see.
import { SystemBus } from "../../native-core/devices/bus.ts";
import type { Inputs, InterruptLine } from "../../native-core/devices/device.ts";
import type { PowerControl } from "../../native-core/devices/power.ts";
import { MachineClock } from "../../native-core/machine/clock.ts";

/** A wire that remembers its level and counts its rising edges. */
export class Probe implements InterruptLine {
  level = false;
  rises = 0;

  set(level: boolean): void {
    if (level && !this.level) this.rises++;
    this.level = level;
  }
}

export class DeviceBench implements PowerControl {
  readonly bus = new SystemBus();
  readonly clock: MachineClock;
  readonly inputs: Inputs;
  #ns = 0n;
  wallClockMs = Date.UTC(2026, 6, 29, 13, 5, 7);
  resets = 0;
  powerOffs = 0;

  constructor() {
    this.clock = new MachineClock(() => this.#ns);
    this.clock.resume();
    this.inputs = {
      wallClockMs: () => this.wallClockMs + Number(this.#ns / 1_000_000n),
      monotonicNs: () => this.#ns,
      random: (bytes) => bytes.fill(0x5a),
    };
  }

  requestReset(): void {
    this.resets++;
  }

  requestPowerOff(): void {
    this.powerOffs++;
  }

  /** Lets time pass, firing timers at their deadlines. */
  advance(ns: bigint): void {
    const end = this.#ns + ns;
    for (;;) {
      const next = this.clock.nextDeadlineNs;
      if (next === undefined || next > end) break;
      if (next > this.#ns) this.#ns = next;
      this.clock.fireDue();
    }
    this.#ns = end;
  }

  in8(port: number): number {
    return this.bus.readPort(port, 1);
  }

  out8(port: number, ...values: number[]): void {
    for (const value of values) this.bus.writePort(port, 1, value);
  }

  in32(port: number): number {
    return this.bus.readPort(port, 4);
  }

  out32(port: number, value: number): void {
    this.bus.writePort(port, 4, value);
  }

  read32(address: number): number {
    return this.bus.readMmio(address, 4);
  }

  write32(address: number, value: number): void {
    this.bus.writeMmio(address, 4, value);
  }
}

export const MS = 1_000_000n;
export const SECOND = 1_000_000_000n;
