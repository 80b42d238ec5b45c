// Random bytes as code, in every mode, with random memory: the guest may do to itself what it likes; the host must not notice.
import { describe, expect, it } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterProtectedMode,
  interpreterMachine,
  RAM_BYTES,
  STACK,
} from "../../../support/cpu/long-mode.ts";
import { Random } from "../../../support/cpu/random.ts";

const MODES: Readonly<Record<string, (cpu: InterpreterVcpu) => void>> = {
  "64-bit supervisor": () => {},
  "64-bit user": (cpu) => {
    cpu.state.setNumber(STATE.cpl, 3);
    cpu.state.setSegment("cs", "selector", 0x23n);
    cpu.state.setSegment("cs", "attributes", 0xaffbn);
    cpu.state.setSegment("ss", "selector", 0x1bn);
    cpu.state.setSegment("ss", "attributes", 0xcff3n);
  },
  "32-bit": (cpu) => enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) }),
  "real mode": (cpu) => {
    cpu.reset();
    cpu.state.setSegment("cs", "base", 0n);
    cpu.state.setSegment("cs", "selector", 0n);
    cpu.state.set(STATE.rip, 0x8000n);
  },
};

function randomProgram(cpu: InterpreterVcpu, random: Random): void {
  const bytes = Uint8Array.from({ length: 64 }, () => random.below(256));
  cpu.ram.write(Number(cpu.state.get(STATE.rip)), bytes);
  cpu.ram.write(
    DATA,
    Uint8Array.from({ length: 64 }, () => random.below(256)),
  );
  for (let n = 0; n < 16; n++) {
    cpu.state.setGeneral(n, random.pick([BigInt(DATA), BigInt(STACK), BigInt(CODE), random.operand(), random.u64()]));
  }
  cpu.state.setGeneral(4, BigInt(STACK));
}

describe("random code", () => {
  for (const [name, enter] of Object.entries(MODES)) {
    it(`does nothing to the host: ${name}`, () => {
      const random = new Random(name.length);
      const ends = new Set<string>();
      for (let round = 0; round < 20; round++) {
        const cpu = interpreterMachine();
        enter(cpu);
        cpu.invalidateAll();
        for (let program = 0; program < 12; program++) {
          randomProgram(cpu, random);
          ends.add(cpu.run(2000));
          cpu.state.setNumber(STATE.halted, 0);
        }
        expect(cpu.ram.bytes().length).toBeGreaterThanOrEqual(RAM_BYTES);
      }
      expect(ends.size).toBeGreaterThan(0);
    }, 60_000);
  }
});
