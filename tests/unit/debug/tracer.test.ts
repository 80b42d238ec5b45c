// The tracer and the sampler on a small program.
import { describe, expect, it } from "vitest";
import { Sampler } from "../../../native-core/debug/sampler.ts";
import { describeState, instructionAt, trace } from "../../../native-core/debug/tracer.ts";
import { CODE, interpreterMachine } from "../../support/cpu/long-mode.ts";

describe("tracer", () => {
  it("prints address, instruction and what it changed", () => {
    const cpu = interpreterMachine();
    cpu.ram.write(CODE, Uint8Array.of(0xb8, 5, 0, 0, 0, 0x01, 0xc3, 0xf4));
    cpu.state.setGeneral(0, 0n);
    cpu.state.setGeneral(3, 1n);
    const lines: string[] = [];
    expect(trace(cpu, 10, (line) => lines.push(line.replace(/ +/g, " ")))).toBe("halted");
    expect(lines.slice(0, 3)).toEqual([
      "0000000000010000 mov eax,0x5 rax=5",
      "0000000000010005 add ebx,eax rbx=6",
      "0000000000010007 hlt",
    ]);
  });

  it("says where nothing is mapped, without a fault left behind", () => {
    const cpu = interpreterMachine();
    expect(instructionAt(cpu, 0x4000_0000n)).toBeUndefined();
    expect(describeState(cpu.state)).toContain("rip=0000000000010000");
  });
});

describe("sampler", () => {
  it("finds the loop that takes the time", () => {
    const cpu = interpreterMachine();
    // inc eax; jmp back
    cpu.ram.write(CODE, Uint8Array.of(0xff, 0xc0, 0xeb, 0xfc));
    const sampler = new Sampler(cpu);
    expect(sampler.run(100_000)).toBe(true);
    expect(sampler.top(1)).toEqual([{ rip: BigInt(CODE), percent: 100 }]);
  });
});
