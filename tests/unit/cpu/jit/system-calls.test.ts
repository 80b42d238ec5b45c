// System calls of compiled code: the user's regions wait for the system, which may come back, go elsewhere, or change what they rely on.
// Against the interpreter, in runs of different lengths.
import { describe, expect, it } from "vitest";
import { readCounters } from "../../../../native-core/cpu/counters.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, enterUser, quadwords, STACK } from "../../../support/cpu/long-mode.ts";

/** User code in one page, the system's in the next one. */
const SYSTEM = CODE + 0x1000;
/** Behind SYSCALL. */
const BEHIND = CODE + 0x42;
const OTHER_CODE = CODE + 0x2000;
const TABLES = [0x3_0000, 0x3_4000] as const;

/** Calls a function that calls the system, `rounds` times, counts in RBX behind SYSCALL, and ends in a HLT that user code may not do. */
const USER: readonly (readonly [number, readonly number[]])[] = [
  [0x00, [0xe8, 0x3b, 0, 0, 0]], // call 0x40
  [0x05, [0xff, 0xcd, 0x75, 0xf7]], // dec ebp; jnz 0x00
  [0x09, [0xf4]], // hlt
  [0x40, [0x0f, 0x05, 0x48, 0xff, 0xc3, 0xc3]], // syscall; inc rbx; ret
];
const CALL_WORK = [0xe8, 0x3b, 0, 0, 0];
const SYSRET = [0x48, 0x0f, 0x07];
const EVERY_FOURTH = [0xf6, 0xc2, 3, 0x75]; // test dl, 3; jnz, distance to follow
/** A function of the system: inc rdx, then `more`, ret. */
const work = (...more: readonly number[]): readonly number[] => [0x48, 0xff, 0xc2, ...more, 0xc3];

interface System {
  /** At LSTAR; calls 0x40. */
  readonly entry: readonly number[];
  readonly work: readonly number[];
  /** At 0x80 in the user's page. */
  readonly user?: readonly number[];
}

const RETURNS: readonly number[] = [...CALL_WORK, ...SYSRET];

const SYSTEMS: Record<string, System> = {
  "returns to where it was called": { entry: RETURNS, work: work() },
  "returns elsewhere now and then": {
    entry: RETURNS,
    work: work(...EVERY_FOURTH, 4, 0x48, 0x83, 0xc1, 3), // add rcx, 3
  },
  "jumps there with its own privilege in the end": {
    entry: [...CALL_WORK, 0x83, 0xfa, 30, 0x72, 2, 0xff, 0xe1, ...SYSRET], // cmp edx, 30; jb +2; jmp rcx
    work: work(),
  },
  "writes to the code that it returns to": {
    entry: RETURNS,
    work: work(0x80, 0x71, 0x02, 0x08), // xor byte [rcx+2], 8: inc rbx and dec rbx in turn
  },
  "loads CR3 with what it holds": {
    entry: RETURNS,
    work: work(...EVERY_FOURTH, 6, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8),
  },
  "goes to another address space with other code there": {
    entry: RETURNS,
    work: work(...EVERY_FOURTH, 12, 0x0f, 0x20, 0xd8, 0x48, 0x35, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x22, 0xd8),
  },
  "leaves the stack of its calls to user code, which returns into the system": {
    // Every fourth time pops the return address into R8 and goes to the user's 0x80, which jumps there.
    entry: RETURNS,
    work: work(0x83, 0xfa, 40, 0x75, 9, 0x41, 0x58, 0x48, 0x83, 0xc1, 0x3e, ...SYSRET, 0x90), // cmp edx, 40; jnz; pop r8; add rcx, 0x3e
    user: [0x41, 0xff, 0xe0], // jmp r8
  },
  "allows interrupts on the way": { entry: [0xfb, ...CALL_WORK, 0xfa, ...SYSRET], work: work(0xfb, 0x90, 0xfa) },
};

/** Maps all pages to themselves, in 4 KiB pages; the user's code to `code`. */
function mapAt(lockstep: Lockstep, tables: number, code: number): void {
  const [pdpt, directory, pages] = [tables + 0x1000, tables + 0x2000, tables + 0x3000];
  lockstep.write(tables, quadwords(BigInt(pdpt) | 7n));
  lockstep.write(pdpt, quadwords(BigInt(directory) | 7n));
  lockstep.write(directory, quadwords(BigInt(pages) | 7n));
  const frames = Array.from({ length: 64 }, (_, n) => (n << 12 === CODE ? code : n << 12));
  lockstep.write(pages, quadwords(...frames.map((frame) => BigInt(frame) | 7n)));
}

function start(system: System, rounds: number): Lockstep {
  const lockstep = new Lockstep();
  for (const [at, bytes] of USER) {
    lockstep.write(CODE + at, bytes);
    lockstep.write(OTHER_CODE + at, bytes);
  }
  // dec rbx
  lockstep.write(OTHER_CODE + (BEHIND - CODE) + 2, [0xcb]);
  if (system.user) lockstep.write(CODE + 0x80, system.user);
  lockstep.write(SYSTEM, system.entry);
  lockstep.write(SYSTEM + 0x40, system.work);
  mapAt(lockstep, TABLES[0], CODE);
  mapAt(lockstep, TABLES[1], OTHER_CODE);
  for (const cpu of lockstep.both()) enterUser(cpu);
  lockstep.set((state) => {
    state.set(STATE.cr3, BigInt(TABLES[0]));
    state.set(STATE.star, (0x10n << 48n) | (8n << 32n));
    state.set(STATE.lstar, BigInt(SYSTEM));
    state.set(STATE.fmask, 0x200n);
    state.setGeneral(4, BigInt(STACK - 0x100));
    state.setGeneral(5, BigInt(rounds));
    state.flags = 0x202n;
  });
  for (const cpu of lockstep.both()) cpu.invalidateAll();
  return lockstep;
}

const statesLeft = (lockstep: Lockstep): number =>
  readCounters(new DataView(lockstep.compiled.state.bytes.buffer), undefined).exits.state;

describe("a system called by compiled code that", () => {
  for (const [what, system] of Object.entries(SYSTEMS)) {
    it(`${what}: does the same as when it is interpreted`, () => {
      for (const length of [1000, 23, 5]) start(system, 60).run(length, 400, `${what}, ${length}`);
    });
  }

  it("returns to where it was called needs no dispatcher", () => {
    const lockstep = start(SYSTEMS["returns to where it was called"] as System, 1000);
    lockstep.run(1000, 2, "first calls");
    const before = statesLeft(lockstep);
    lockstep.run(5000, 1, "more calls");
    // A run may begin in the middle of the system, with nobody waiting.
    expect(statesLeft(lockstep)).toBeLessThan(before + 5);
  });
});
