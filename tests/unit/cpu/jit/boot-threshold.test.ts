// A guest that boots executes much code a little: until it has programs, blocks have to be executed more often to be compiled.
import { expect, it } from "vitest";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, enterUser, interpreterMachine, RAM_BYTES } from "../../../support/cpu/long-mode.ts";

const SYSTEM = CODE + 0x1000;
/** mov ecx, 100; again: inc rax; dec ecx; jnz again; hlt */
const LOOP = Uint8Array.of(0xb9, 100, 0, 0, 0, 0x48, 0xff, 0xc0, 0xff, 0xc9, 0x75, 0xf9, 0xf4);

it("user code ends the patience with blocks that are executed now and then", () => {
  const jit = { threshold: 16, bootThreshold: 250, batch: 1 };
  const cpu = interpreterMachine(RAM_BYTES, undefined, undefined, jit);
  cpu.ram.write(SYSTEM, LOOP);
  cpu.ram.write(CODE, LOOP);
  const runAt = (address: number): number => {
    cpu.state.set(STATE.rip, BigInt(address));
    cpu.state.setNumber(STATE.halted, 0);
    cpu.run(1000);
    return cpu.jit?.statistics.regions ?? 0;
  };
  expect(runAt(SYSTEM)).toBe(0);
  expect(runAt(SYSTEM)).toBe(0);
  enterUser(cpu);
  cpu.modeChanged();
  expect(runAt(CODE)).toBe(1);
  // Its HLT is none that user code may do, so the system goes on. Of 250 executions, 52 were left.
  expect(cpu.state.getNumber(STATE.cpl)).toBe(0);
  expect(runAt(SYSTEM)).toBe(2);
});
