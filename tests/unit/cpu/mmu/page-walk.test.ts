// The page walker in Wasm against the reference walk, over random page tables in every paging mode.
import { describe, expect, it } from "vitest";
import { CpuException } from "../../../../native-core/cpu/context.ts";
import { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import { EvaluatorMemory } from "../../../../native-core/cpu/evaluator/evaluator-memory.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { interpreterMachine, quadwords } from "../../../support/cpu/long-mode.ts";
import { Random } from "../../../support/cpu/random.ts";

const RAM = 0x2_0000;
const TABLES = 0x4000;
const TABLE_PAGES = 8;

interface Mode {
  readonly name: string;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly entryBytes: 4 | 8;
  linear(random: Random): bigint;
}

const low32 = (random: Random): bigint => BigInt.asUintN(32, indices(random, [22n, 12n]));

/** An address whose table indices are small, so that random tables are hit; sometimes any address. */
function indices(random: Random, shifts: readonly bigint[]): bigint {
  let address = BigInt(random.below(4096));
  for (const shift of shifts) address |= BigInt(random.below(8)) << shift;
  return address;
}

const MODES: readonly Mode[] = [
  { name: "4-level paging", cr4: 0xa0n, efer: 0xd00n, entryBytes: 8, linear: long },
  { name: "4-level paging without NX", cr4: 0x20n, efer: 0x500n, entryBytes: 8, linear: long },
  { name: "PAE paging", cr4: 0xa0n, efer: 0x800n, entryBytes: 8, linear: pae },
  { name: "32-bit paging", cr4: 0x80n, efer: 0n, entryBytes: 4, linear: low32 },
  { name: "32-bit paging with large pages", cr4: 0x90n, efer: 0n, entryBytes: 4, linear: low32 },
];

function long(random: Random): bigint {
  if (random.below(20) === 0) return random.u64();
  return indices(random, [39n, 30n, 21n, 12n]);
}

function pae(random: Random): bigint {
  return indices(random, [21n, 12n]) | (BigInt(random.below(4)) << 30n);
}

/** An entry that mostly leads to another table or a page in RAM, with rights and sometimes large or reserved bits. */
function entry(random: Random, bytes: 4 | 8): bigint {
  const frame = BigInt(TABLES + random.below(TABLE_PAGES) * 4096);
  let value = frame | 1n | (random.below(3) ? 6n : BigInt(random.below(4)) * 2n);
  if (random.below(12) === 0) value &= ~1n;
  if (random.below(6) === 0) value |= 0x80n;
  if (random.below(5) === 0) value |= 0x100n;
  if (random.below(4) === 0) value |= 0x60n;
  if (random.below(10) === 0) value |= 1n << BigInt(random.below(bytes * 8));
  if (bytes === 8 && random.below(6) === 0) value |= 1n << 63n;
  return BigInt.asUintN(bytes * 8, value);
}

/** What an access does: the value, or the exception with its error code and CR2. */
function outcome(access: () => bigint | void, state: CpuState): string {
  state.set(STATE.cr2, 0n);
  try {
    return `${access() ?? "written"}`;
  } catch (error) {
    if (!(error instanceof CpuException)) throw error;
    return `exception ${error.vector} (${error.errorCode}) cr2 ${state.get(STATE.cr2).toString(16)}`;
  }
}

describe("page walk", () => {
  for (const mode of MODES) {
    it(`does what SDM 3A says: ${mode.name}`, () => {
      const random = new Random(mode.name.length);
      const cpu = interpreterMachine(RAM);
      const seen = new Set<string>();
      for (let round = 0; round < 60; round++) {
        for (let at = TABLES; at < TABLES + TABLE_PAGES * 4096; at += mode.entryBytes) {
          if ((at & 0xfff) >= 8 * mode.entryBytes) continue;
          const value = entry(random, mode.entryBytes);
          cpu.ram.write(at, quadwords(value).subarray(0, mode.entryBytes));
        }
        const user = random.below(2) === 1;
        cpu.state.set(STATE.cr0, random.below(2) ? 0x8001_0001n : 0x8000_0001n);
        cpu.state.set(STATE.cr3, BigInt(TABLES));
        cpu.state.set(STATE.cr4, mode.cr4);
        cpu.state.set(STATE.efer, mode.efer);
        cpu.state.setNumber(STATE.cpl, user ? 3 : 0);
        cpu.memory.flush(false);
        const state = new CpuState(cpu.state.bytes.slice().buffer);
        const oracle = new EvaluatorMemory(state, RAM);
        oracle.bytes.set(cpu.ram.bytes().subarray(0, RAM));
        for (let n = 0; n < 40; n++) {
          const linear = mode.linear(random);
          const size = random.pick([1, 2, 4, 8] as const);
          const write = random.below(2) === 1;
          const value = BigInt.asUintN(size * 8, random.u64());
          const act = (memory: typeof cpu.memory | EvaluatorMemory): bigint | void =>
            write ? memory.write(linear, size, value) : memory.read(linear, size);
          const expected = outcome(() => act(oracle), state);
          const actual = outcome(() => act(cpu.memory), cpu.state);
          expect(actual, `${write ? "write" : "read"} of ${size} at ${linear.toString(16)}`).toBe(expected);
          seen.add(expected.replace(/ cr2.*/, "").replace(/^\d+$/, "read"));
          // Tables are changed by stray writes: the next access must see them.
          cpu.memory.flush(false);
        }
        expect(Buffer.compare(cpu.ram.bytes().subarray(0, RAM), oracle.bytes), "memory, A and D bits").toBe(0);
      }
      // The random tables must have led to hits and to faults of several kinds, or the test shows nothing.
      expect(seen.has("read") && seen.has("written")).toBe(true);
      expect([...seen].filter((text) => text.startsWith("exception 14")).length).toBeGreaterThan(3);
    });
  }
});
