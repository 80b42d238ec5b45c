// The law of snapshots at the processor: run N, save, run M equals restore, run M - also in another processor with empty caches.
import { describe, expect, it } from "vitest";
import { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { restoreCpu, saveCpu } from "../../../../native-core/machine/cpu-saved-state.ts";
import { CODE, DATA, interpreterMachine, RAM_BYTES } from "../../../support/cpu/long-mode.ts";

/** A loop with loads, stores, calls, string instructions and code that changes itself: about 30 instructions a round. */
const PROGRAM = [
  ...[0xbf, ...le32(DATA)], // mov edi, DATA
  ...[0xb9, ...le32(64)], // mov ecx, 64
  ...[0xf3, 0xab], // rep stosd
  ...[0x05, ...le32(0x9e3779b9)], // add eax, golden ratio
  ...[0x89, 0x04, 0x25, ...le32(DATA + 0x40)], // mov [DATA+0x40], eax
  ...[0xe8, ...le32(14)], // call f
  ...[0x88, 0x04, 0x25, ...le32(CODE + 1 + 12 + 1)], // mov [immediate of add], al
  ...[0xff, 0xc3], // inc ebx
  ...[0xeb, -44 & 0xff], // jmp start
  0x90,
  0x90,
  0x90,
  ...[0x50, 0x11, 0xc2, 0xd1, 0xca, 0x58, 0xc3], // f: push rax; adc edx, eax; ror edx, 1; pop rax; ret
];

function le32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function start(): InterpreterVcpu {
  const cpu = interpreterMachine();
  cpu.ram.write(CODE, Uint8Array.from(PROGRAM));
  for (let n = 0; n < 16; n++) if (n !== 4) cpu.state.setGeneral(n, BigInt(n) * 0x1111n);
  return cpu;
}

function everything(cpu: InterpreterVcpu): { cpu: unknown; memory: Buffer } {
  return { cpu: saveCpu(cpu.state), memory: Buffer.from(cpu.ram.bytes().slice(0, RAM_BYTES)) };
}

describe("snapshot law", () => {
  for (const before of [1, 37, 500, 12_345]) {
    it(`holds after ${before} instructions`, () => {
      const first = start();
      first.run(before);
      const saved = everything(first);
      first.run(5000);

      const second = interpreterMachine();
      second.ram.write(0, saved.memory);
      restoreCpu(second.state, saved.cpu as Parameters<typeof restoreCpu>[1]);
      second.invalidateAll();
      second.run(5000);
      const [expected, actual] = [everything(first), everything(second)];
      expect(actual.cpu).toEqual(expected.cpu);
      expect(Buffer.compare(actual.memory, expected.memory)).toBe(0);
    });
  }

  it("the saved form does not depend on how flags were made", () => {
    const state = new CpuState(new ArrayBuffer(4096));
    state.flags = 0x8d7n;
    expect((saveCpu(state) as { flags: bigint }).flags).toBe(0x8d7n);
  });
});
