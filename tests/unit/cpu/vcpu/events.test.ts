// Interrupts, exceptions, HLT, single steps and the limits of a run.
import { describe, expect, it, vi } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, HANDLERS, type Interrupts, interpreterMachine, PLATFORM } from "../../../support/cpu/long-mode.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const HLT = 0xf4;
const NOP = 0x90;
const STI = 0xfb;
const IF = 0x200n;

/** An interrupt line that the test pulls. */
class Line implements Interrupts {
  vector: number | undefined;
  acknowledged = 0;
  hasInterrupt(): boolean {
    return this.vector !== undefined;
  }
  acknowledge(): number | undefined {
    const { vector } = this;
    this.vector = undefined;
    this.acknowledged++;
    return vector;
  }
}

function machine(code: number[]): { cpu: InterpreterVcpu; line: Line } {
  const line = new Line();
  const cpu = interpreterMachine(undefined, line);
  cpu.ram.write(CODE, bytes(...code));
  return { cpu, line };
}

const handlerOf = (vector: number): bigint => BigInt(HANDLERS + vector * 16);
/** RIP behind the HLT of a vector's handler. */
const inHandler = (vector: number): bigint => handlerOf(vector) + 1n;
const savedRip = (cpu: InterpreterVcpu): bigint => cpu.memory.read(cpu.state.general(4), 8);

describe("external interrupts", () => {
  it("are delivered while IF is set, and wake HLT", () => {
    const { cpu, line } = machine([STI, HLT, NOP]);
    expect(cpu.run(100)).toBe("halted");
    line.vector = 20;
    cpu.interruptChanged();
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(20));
    expect(savedRip(cpu)).toBe(BigInt(CODE + 2));
  });

  it("wait while IF is clear", () => {
    const { cpu, line } = machine([NOP, HLT]);
    line.vector = 20;
    cpu.interruptChanged();
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
    expect(line.acknowledged).toBe(0);
  });

  it("are held back for one instruction after STI", () => {
    // sti; inc eax; inc eax; hlt
    const { cpu, line } = machine([STI, 0xff, 0xc0, 0xff, 0xc0, HLT]);
    cpu.state.setGeneral(0, 0n);
    line.vector = 20;
    cpu.interruptChanged();
    cpu.run(100);
    expect(cpu.state.general(0)).toBe(1n);
    expect(savedRip(cpu)).toBe(BigInt(CODE + 3));
  });

  it("reach a loop that never leaves its block by itself", () => {
    // sti; jmp $
    const { cpu, line } = machine([STI, 0xeb, 0xfe]);
    expect(cpu.run(5000)).toBe("deadline");
    line.vector = 21;
    cpu.interruptChanged();
    expect(cpu.run(5000)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(21));
  });

  it("are taken in a window of STI, NOP, CLI", () => {
    // loop: sti; nop; cli; jmp loop
    const { cpu, line } = machine([STI, NOP, 0xfa, 0xeb, 0xfb]);
    cpu.run(100);
    line.vector = 20;
    cpu.interruptChanged();
    expect(cpu.run(1000)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(20));
  });

  it("NMI does not ask IF", () => {
    const { cpu } = machine([0xeb, 0xfe]);
    cpu.requestNmi();
    expect(cpu.run(1000)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(2));
  });
});

describe("exceptions", () => {
  it.each([
    ["fits", 6n, undefined, (6n << 64n) / 8n],
    ["has more than 64 bits", 8n, 0, 0n],
  ])(
    "come from a division of RDX:RAX if the quotient has more than 64 bits: it %s (RDX %s)",
    (_, high, vector, quotient) => {
      // div rbx; hlt
      const { cpu } = machine([0x48, 0xf7, 0xf3, HLT]);
      cpu.state.setGeneral(2, high);
      cpu.state.setGeneral(3, 8n);
      expect(cpu.run(100)).toBe("halted");
      expect(cpu.state.get(STATE.rip)).toBe(vector === undefined ? BigInt(CODE + 4) : inHandler(vector));
      expect(cpu.state.general(0)).toBe(quotient);
    },
  );

  it("point at the instruction that faulted, with the instructions before it retired", () => {
    // nop; nop; mov rax, [0x40000000]
    const { cpu } = machine([NOP, NOP, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0x40]);
    cpu.state.set(STATE.instructionCount, 0n);
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.cr2)).toBe(0x4000_0000n);
    // The HLT of the handler is the third to retire.
    expect(cpu.state.get(STATE.instructionCount)).toBe(3n);
    expect(cpu.memory.read(cpu.state.general(4) + 8n, 8)).toBe(BigInt(CODE + 2));
  });

  it("a fault while fetching points at the target", () => {
    // mov eax, 0x40000000; jmp rax
    const { cpu } = machine([0xb8, 0, 0, 0, 0x40, 0xff, 0xe0]);
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(14));
    expect(cpu.memory.read(cpu.state.general(4) + 8n, 8)).toBe(0x4000_0000n);
  });

  it("a fault while delivering a page fault is a double fault, a third one shuts down", () => {
    const { cpu } = machine([0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0x40]);
    // The page fault's gate is not present.
    cpu.ram.writeU32(0x4000 + 14 * 16 + 4, 0);
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(8));
    const { cpu: worse } = machine([0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0x40]);
    worse.ram.write(0x4000, new Uint8Array(0x1000));
    expect(worse.run(100)).toBe("shutdown");
  });

  it("the trap flag stops after every instruction", () => {
    // pushf; or dword [rsp], 0x100; popf; nop; nop
    const { cpu } = machine([0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, NOP, NOP]);
    expect(cpu.run(100)).toBe("halted");
    expect(cpu.state.get(STATE.rip)).toBe(inHandler(1));
    expect(savedRip(cpu)).toBe(BigInt(CODE + 10));
    expect(cpu.state.get(STATE.dr6) & 0x4000n).toBe(0x4000n);
  });
});

describe("a run", () => {
  it("ends at its budget, counted exactly at block ends", () => {
    const { cpu } = machine([NOP, 0xeb, 0xfd]);
    cpu.state.set(STATE.instructionCount, 0n);
    expect(cpu.run(100)).toBe("deadline");
    expect(cpu.state.get(STATE.instructionCount)).toBe(100n);
  });

  it("ends when a port write asks for it", () => {
    const { cpu } = machine([NOP, 0xe6, 0x80, 0xeb, 0xfc]);
    let writes = 0;
    const spy = vi.spyOn(PLATFORM, "writePort").mockImplementation(() => {
      writes++;
      cpu.requestExit();
    });
    cpu.run(1_000_000);
    spy.mockRestore();
    expect(writes).toBe(1);
  });

  it("single steps execute one instruction", () => {
    const { cpu } = machine([NOP, NOP, HLT]);
    cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 1));
    cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
  });

  it("after a reset the processor is where RESET puts it", () => {
    const { cpu } = machine([NOP]);
    cpu.reset();
    expect(cpu.state.get(STATE.rip)).toBe(0xfff0n);
    expect(cpu.state.segment("cs", "base")).toBe(0xffff_0000n);
    expect(cpu.state.flags & IF).toBe(0n);
  });
});
