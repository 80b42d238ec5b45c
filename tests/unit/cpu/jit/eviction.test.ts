// Room for compiled code is bounded: the oldest regions go, what is hot comes back, and the machine never notices.
import { describe, expect, it } from "vitest";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, STACK } from "../../../support/cpu/long-mode.ts";

const THRESHOLD = 16;
const MAX_BYTES = 56 * 1024;
const LOOPS = 60;
const SPACING = 32;
const ROUNDS = 12;
const TURNS = 10;
const HLT = 0xf4;

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];

/** mov ecx, TURNS; again: inc rax; dec ecx; jnz again; jmp to the next loop, the last one: dec edx; jnz to the first; hlt */
function loops(): number[] {
  return Array.from({ length: LOOPS }, (_, n) => {
    const body = [0xb9, ...int32(TURNS), 0x48, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xf9];
    const toFirst = -(n * SPACING + body.length + 8);
    const way =
      n < LOOPS - 1 ? [0xe9, ...int32(SPACING - body.length - 5)] : [0xff, 0xca, 0x0f, 0x85, ...int32(toFirst), HLT];
    const code = [...body, ...way];
    return [...code, ...new Array<number>(SPACING - code.length).fill(HLT)];
  }).flat();
}

describe("compiled code that has grown too large", () => {
  it("makes room, oldest first, and costs no more than its threshold allows", () => {
    const lockstep = new Lockstep({ threshold: THRESHOLD, batch: 1, maxBytes: MAX_BYTES });
    lockstep.write(CODE, loops());
    lockstep.set((state) => {
      for (let n = 0; n < 16; n++) state.setGeneral(n, n === 2 ? BigInt(ROUNDS) : 0n);
      state.setGeneral(4, BigInt(STACK));
      state.flags = 2n;
      state.set(STATE.rip, BigInt(CODE));
      state.setNumber(STATE.halted, 0);
    });
    lockstep.run(997, 60, "rounds of loops");
    const { state, jit } = lockstep.compiled;
    expect(state.getNumber(STATE.halted)).not.toBe(0);
    expect(state.general(0)).toBe(BigInt(LOOPS * ROUNDS * TURNS));
    const { evicted, aliveBytes, regions } = jit?.statistics ?? { evicted: 0, aliveBytes: 0, regions: 0 };
    expect(evicted).toBeGreaterThan(0);
    expect(aliveBytes).toBeGreaterThan(0);
    expect(aliveBytes).toBeLessThanOrEqual(MAX_BYTES);
    // What was evicted is executed THRESHOLD times again before it is compiled again.
    expect(regions).toBeLessThanOrEqual((LOOPS * ROUNDS * (TURNS + 2)) / THRESHOLD);
  });
});
