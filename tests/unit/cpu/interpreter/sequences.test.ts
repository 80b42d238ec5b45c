// Operations in a row that have one handler (cpu/interpreter/hot-sequences.ts): what is found, and that each is still an instruction of its own.
import { describe, expect, it } from "vitest";
import { Sequences } from "../../../../native-core/cpu/interpreter/sequences.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, DATA, interpreterMachine } from "../../../support/cpu/long-mode.ts";

const sequences = new Sequences([
  { handler: 100, parts: [1, 2] },
  { handler: 101, parts: [1, 2, 3] },
  { handler: 102, parts: [2, 2] },
  { handler: 103, parts: [3, 1, 4, 1] },
]);

/** The handlers of operations after their sequences were joined. */
function joined(...handlers: number[]): number[] {
  const words = new Int32Array(handlers.length * 4);
  handlers.forEach((handler, n) => {
    words[n * 4] = handler | 0x0203_0000;
  });
  sequences.join(words, 0, handlers.length);
  return handlers.map((_, n) => {
    const word = words[n * 4] ?? 0;
    expect(word >>> 16).toBe(0x0203);
    return word & 0xffff;
  });
}

describe("operations in a row", () => {
  it.each([
    ["the longest one that fits", [1, 2, 3, 1], [101, 2, 3, 1]],
    ["a shorter one where the longer one is not complete", [1, 2, 1, 2, 2], [100, 2, 100, 2, 2]],
    ["none where only a beginning is there", [3, 1, 4], [3, 1, 4]],
    ["one behind a beginning of another", [3, 1, 2, 2], [3, 100, 2, 2]],
    ["none of other handlers", [7, 1, 8, 2], [7, 1, 8, 2]],
    ["none that would go on behind the block", [2], [2]],
  ])("are joined to %s", (_, before, after) => {
    expect(joined(...before)).toEqual(after);
  });

  it("fault one by one", () => {
    const cpu = interpreterMachine();
    // mov rax, [rsi]; mov rbx, [rdi], which is not mapped; the handler of page faults halts
    cpu.ram.write(CODE, Uint8Array.of(0x48, 0x8b, 0x06, 0x48, 0x8b, 0x1f, 0xf4));
    cpu.ram.write(DATA, Uint8Array.of(0x55));
    const { state } = cpu;
    state.setGeneral(3, 7n);
    state.setGeneral(6, BigInt(DATA));
    state.setGeneral(7, 0x20_0000n);
    expect(cpu.run(100)).toBe("halted");
    expect(state.get(STATE.cr2)).toBe(0x20_0000n);
    expect([state.general(0), state.general(3)]).toEqual([0x55n, 7n]);
    // Behind the error code.
    expect(cpu.memory.read(state.general(4) + 8n, 8)).toBe(BigInt(CODE + 3));
    // The first MOV and the handler's HLT.
    expect(state.get(STATE.instructionCount)).toBe(2n);
  });
});
