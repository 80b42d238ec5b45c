// What the machine sees of a vCPU.
import type { CpuState } from "./cpu-state.ts";

/** Why `run` returned. */
export type VcpuExit =
  | "deadline" // instruction budget used up, or `requestExit` was called
  | "halted" // HLT, or waits to be started, and nothing is pending that ends it
  | "shutdown"; // triple fault

/** Where external interrupts come from (PIC and local APIC behind one face). */
export interface InterruptSource {
  /** A maskable interrupt waits for the vCPU. Must be cheap: asked after every change of the line. */
  hasInterrupt(): boolean;
  /** Acknowledges it and yields its vector; undefined for a spurious one that went away. */
  acknowledge(): number | undefined;
}

export interface Vcpu {
  readonly state: CpuState;
  /** Whether `run` would execute anything now. */
  readonly runnable: boolean;
  /** Runs until the budget of instructions is used or something else ends it. Delivers exceptions and interrupts itself. */
  run(maxInstructions: number): VcpuExit;
  /** The interrupt source changed: look at it at the next block end. Called from device code, also during `run`. */
  interruptChanged(): void;
  requestNmi(): void;
  /** INIT and start-up IPIs, the latter with the number of the page to start at. */
  requestInit(): void;
  requestStartup(page: number): void;
  /** Leave `run` at the next block end. */
  requestExit(): void;
  reset(): void;
  /** RAM at these guest physical bytes was written by somebody else (DMA, loader): drop translations, mark dirty. */
  memoryWritten(address: number, length: number): void;
  /** Drops all cached translations (after a restore). */
  invalidateAll(): void;
}
