// Two processors side by side, run in equal steps; the state that a guest can see must be the same after each.
import { expect } from "vitest";
import type { CpuState } from "../../../native-core/cpu/cpu-state.ts";
import type { JitOptions } from "../../../native-core/cpu/jit/jit.ts";
import type { InterpreterVcpu } from "../../../native-core/cpu/vcpu.ts";
import { STATE, STATE_SIZE, VECTOR_OFFSET } from "../../../native-core/x86/state-layout.ts";
import { enableAvx, interpreterMachine, RAM_BYTES } from "./long-mode.ts";

/** Every block is compiled before it is first executed. */
export const COMPILE_AT_ONCE: JitOptions = { threshold: 1, batch: 1 };

function visible(state: CpuState): Record<string, unknown> {
  const names = ["rip", "cr2", "mxcsr", "x87Status", "x87Tag", "cpl", "halted", "instructionCount"] as const;
  return {
    flags: state.flags,
    general: Array.from({ length: 16 }, (_, n) => state.general(n).toString(16)),
    ...Object.fromEntries(names.map((name) => [name, state.get(STATE[name]).toString(16)])),
    vectors: Buffer.from(state.bytes.subarray(VECTOR_OFFSET, STATE_SIZE)).toString("hex"),
  };
}

export class Lockstep {
  readonly interpreter: InterpreterVcpu = interpreterMachine();
  readonly compiled: InterpreterVcpu;

  constructor(jit = COMPILE_AT_ONCE, operationCacheBytes?: number) {
    this.compiled = interpreterMachine(undefined, undefined, undefined, jit, operationCacheBytes);
    for (const cpu of this.both()) {
      enableAvx(cpu.state);
      cpu.modeChanged();
    }
  }

  both(): readonly InterpreterVcpu[] {
    return [this.interpreter, this.compiled];
  }

  write(address: number, bytes: Uint8Array | readonly number[]): void {
    for (const cpu of this.both()) cpu.ram.write(address, Uint8Array.from(bytes));
  }

  set(change: (state: CpuState) => void): void {
    for (const cpu of this.both()) change(cpu.state);
  }

  /** Up to `steps` runs of `instructions` each; ends early when the processors do. */
  run(instructions: number, steps: number, what: string): void {
    for (let step = 1; step <= steps; step++) {
      const end = this.interpreter.run(instructions);
      expect(this.compiled.run(instructions), what).toBe(end);
      this.expectSame(`${what} after step ${step} of ${instructions}`);
      if (end !== "deadline") return;
    }
  }

  expectSame(what: string): void {
    expect(visible(this.compiled.state), what).toEqual(visible(this.interpreter.state));
    const [a, b] = [this.interpreter, this.compiled].map((cpu) =>
      Buffer.from(cpu.ram.bytes().buffer, cpu.ram.bytes().byteOffset, RAM_BYTES),
    ) as [Buffer, Buffer];
    if (a.compare(b) === 0) return;
    expect.fail(`${what}: memory differs at 0x${a.findIndex((byte, n) => byte !== b[n]).toString(16)}`);
  }
}
