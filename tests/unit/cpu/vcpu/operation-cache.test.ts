// The operation cache when it is full: it empties itself while the guest runs, and nobody may hold on to what was in it.
import { describe, expect, it } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, interpreterMachine } from "../../../support/cpu/long-mode.ts";

const PIECES = 200;
const PIECE_BYTES = 0x40;
const ROUNDS = 20;
const ROUND_COUNTER = 1; // RCX

function le32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** A chain of blocks `inc rax; jmp next` over four pages, round and round; each takes about 100 bytes of the cache. */
function machine(operationCacheBytes: number): InterpreterVcpu {
  const cpu = interpreterMachine(undefined, undefined, undefined, undefined, operationCacheBytes);
  for (let n = 0; n < PIECES - 1; n++) {
    // Every third piece leads on through a register: the RIP hash instead of a link.
    const at = CODE + n * PIECE_BYTES;
    const next = at + PIECE_BYTES;
    const jump = n % 3 === 0 ? [0xbb, ...le32(next), 0xff, 0xe3] : [0xe9, ...le32(next - (at + 8))];
    cpu.ram.write(at, Uint8Array.from([0x48, 0xff, 0xc0, ...jump]));
  }
  const last = CODE + (PIECES - 1) * PIECE_BYTES;
  // dec ecx; jnz CODE; hlt
  cpu.ram.write(last, Uint8Array.from([0xff, 0xc9, 0x0f, 0x85, ...le32(CODE - (last + 8)), 0xf4]));
  cpu.state.setGeneral(0, 0n);
  cpu.state.setGeneral(ROUND_COUNTER, BigInt(ROUNDS));
  cpu.state.set(STATE.instructionCount, 0n);
  cpu.invalidateAll();
  return cpu;
}

describe("operation cache", () => {
  for (const bytes of [400, 1000, 7777, 20_000]) {
    it(`of ${bytes} bytes runs a program that does not fit`, () => {
      const cpu = machine(bytes);
      expect(cpu.run(100_000)).toBe("halted");
      expect(cpu.state.general(0)).toBe(BigInt(ROUNDS * (PIECES - 1)));
      // Room for a block is at least its header, one operation and its trailer.
      expect(cpu.blocks.size).toBeLessThanOrEqual(bytes / 64);
    });
  }

  it("retires the same instructions whether it fits or not", () => {
    const [small, large] = [machine(1000), machine(1_000_000)];
    small.run(100_000);
    large.run(100_000);
    expect(small.state.get(STATE.instructionCount)).toBe(large.state.get(STATE.instructionCount));
    expect(large.blocks.size).toBeGreaterThan(PIECES - 1);
  });
});
