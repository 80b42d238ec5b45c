// The contract between a device model and the machine that holds it.
//
// A device never imports the CPU or another device and never reads the wall clock: it gets lines, a clock and memory from outside,
// is driven only through ports, MMIO and its host-side back end, and declares its saved state by name, type and version.
import type { z } from "zod";

/** Sizes in bytes of a port or MMIO access. */
export type AccessSize = 1 | 2 | 4 | 8;

/** Values are unsigned; 8-byte MMIO accesses are split into two 4-byte ones by the bus unless `wide` is declared. */
export interface IoHandler {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** Where a device attaches its registers. Offsets passed to handlers are relative to the base. */
export interface IoBus {
  /** Claims `length` ports from `base`. Asserts that no other device holds them. */
  mapPorts(base: number, length: number, handler: IoHandler): IoMapping;
  /** Claims guest physical addresses that are not RAM. */
  mapMmio(base: number, length: number, handler: IoHandler): IoMapping;
}

/** A live mapping; PCI BARs move by unmapping and mapping again. */
export interface IoMapping {
  unmap(): void;
}

/** A level-triggered wire into an interrupt controller (or any other input). */
export interface InterruptLine {
  set(level: boolean): void;
}

/** Message-signalled interrupts: a write of `data` to `address` in the LAPIC's window. */
export interface MessageInterrupts {
  send(address: bigint, data: number): void;
}

export interface Timer {
  /** Fires once when virtual time reaches `deadlineNs`; replaces an earlier deadline. */
  set(deadlineNs: bigint): void;
  cancel(): void;
  readonly deadlineNs: bigint | undefined;
}

/** Virtual time: nanoseconds since power-on, standing still while the machine is paused or saved. */
export interface VirtualClock {
  nowNs(): bigint;
  createTimer(name: string, onExpire: () => void): Timer;
}

/**
 * Everything that is not a function of the machine's state enters here, so that a run can be recorded and replayed exactly.
 * (Keys, packets and completions enter through `deliver` of the machine's input queue, see machine/inputs.ts.)
 */
export interface Inputs {
  /** Wall clock in milliseconds since 1970, read by the clocks that show the guest the date. */
  wallClockMs(): number;
  /** Host monotonic time in nanoseconds: the source of virtual time. */
  monotonicNs(): bigint;
  random(bytes: Uint8Array): void;
}

/** Guest physical memory as a bus master sees it. Accesses outside RAM read as all ones and write nothing. DMA writes mark pages dirty and drop translated code. */
export interface GuestMemory {
  readonly sizeBytes: number;
  /** Copies from RAM at `address` into `target`. */
  read(address: number, target: Uint8Array): void;
  write(address: number, source: Uint8Array): void;
  /**
   * RAM itself, for a transfer that goes on beside the vCPU; undefined where these addresses are not RAM in one piece. Whoever lends it to
   * write calls `written` when the transfer is over, so that pages saved or translated meanwhile are known to have changed.
   */
  lend(address: number, length: number, toWrite: boolean): Uint8Array | undefined;
  written(address: number, length: number): void;
  /** Whole pages of RAM: locked ones are read as all others, while writes to them, by the vCPU or devices, are lost. */
  setReadOnly?(address: number, length: number, readOnly: boolean): void;
  readU16(address: number): number;
  readU32(address: number): number;
  readU64(address: number): bigint;
  writeU16(address: number, value: number): void;
  writeU32(address: number, value: number): void;
  writeU64(address: number, value: bigint): void;
}

/** A device model. `S` is its saved state: plain data (numbers, bigints, strings, booleans, Uint8Array, arrays, objects). */
export interface Device<S = unknown> {
  /** Unique within the machine, stable across versions: `pic`, `uart0`, `virtio-blk0`. */
  readonly name: string;
  /** Version of the saved state; `restore` accepts this and migrates older ones. */
  readonly stateVersion: number;
  /** Checks a saved state, which may be hostile, before `restore` sees it. */
  readonly stateSchema: z.ZodType<S>;
  /** The device came later: a machine whose saved state has none goes on with it as after a reset. */
  readonly missingInOldStates?: boolean;
  /** A transfer that a reset cut off still reads or writes guest memory: the machine waits with its start. */
  readonly draining?: boolean;
  /** Power-on and hard reset. */
  reset(): void;
  save(): S;
  restore(state: S): void;
  /** Releases host resources; mappings and timers included. */
  dispose?(): void;
}
