// What comes first, the opcode or the privilege: control registers that do not exist, and performance counters.
import { expect, it } from "vitest";
import { VECTOR } from "../../../native-core/x86/registers.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { CODE, HANDLERS, interpreterMachine, interpreterModule } from "../../support/cpu/long-mode.ts";

// Generating the interpreter takes longer than a test may on a busy host.
interpreterModule();

const [EAX, ECX, EDX] = [0, 1, 2] as const;
const CR4_PCE = 0x100n;

function run(
  code: readonly number[],
  cpl: 0 | 3,
  setUp: (cpu: ReturnType<typeof interpreterMachine>) => void = () => {},
) {
  const cpu = interpreterMachine();
  cpu.ram.write(CODE, Uint8Array.from(code));
  cpu.state.setNumber(STATE.cpl, cpl);
  setUp(cpu);
  cpu.modeChanged();
  cpu.invalidateAll();
  cpu.step();
  return cpu;
}

/** Each vector has a handler of its own. */
const vectorOf = (cpu: ReturnType<typeof interpreterMachine>): number =>
  (Number(cpu.state.get(STATE.rip)) - HANDLERS) / 16;

it.each([1, 5, 6, 7])("MOV from CR%i is an undefined opcode", (register) => {
  expect(vectorOf(run([0x0f, 0x20, 0xc0 | (register << 3)], 0))).toBe(VECTOR.UD);
});

it("RDPMC reads four counters, which count nothing", () => {
  const cpu = run([0x0f, 0x33], 0, ({ state }) => {
    state.setGeneral(EAX, 5n);
    state.setGeneral(ECX, 3n);
    state.setGeneral(EDX, 5n);
  });
  expect([cpu.state.general(EAX), cpu.state.general(EDX)]).toEqual([0n, 0n]);
  expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
});

it("RDPMC of a counter that does not exist is #GP", () => {
  const cpu = run([0x0f, 0x33], 0, ({ state }) => state.setGeneral(ECX, 4n));
  expect(vectorOf(cpu)).toBe(VECTOR.GP);
});

it("RDPMC is open to user code where CR4.PCE says so", () => {
  const cpu = run([0x0f, 0x33], 3, ({ state }) => {
    state.set(STATE.cr4, state.get(STATE.cr4) | CR4_PCE);
    state.setGeneral(ECX, 0n);
  });
  expect(cpu.state.get(STATE.rip)).toBe(BigInt(CODE + 2));
});
