// Guest memory above 2 GiB: addresses there are negative as i32.
import { describe, expect, it } from "vitest";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { interpreterMachine, quadwords } from "../../../support/cpu/long-mode.ts";

const RAM = 3 * 1024 ** 3;
const HIGH = 0xb000_0000;
const PD = 0x3000;

describe("memory above 2 GiB", () => {
  const cpu = interpreterMachine(RAM);
  // Linear 2 MiB leads to physical HIGH.
  cpu.ram.write(PD + 8, quadwords(BigInt(HIGH) | 0x87n));
  cpu.memory.flush(false);
  const linear = 0x20_0000n;

  it("is read and written", () => {
    cpu.memory.write(linear + 0x1234n, 8, 0x1122_3344_5566_7788n);
    expect(cpu.ram.readU64(HIGH + 0x1234)).toBe(0x1122_3344_5566_7788n);
    expect(cpu.memory.read(linear + 0x1234n, 4)).toBe(0x5566_7788n);
    expect([...cpu.ram.dirtyPages()]).toContain(((HIGH + 0x1234) / 4096) >>> 0);
  });

  it("holds code, also code that is changed", () => {
    const run = (): bigint => {
      cpu.state.set(STATE.rip, linear);
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(100);
      return cpu.state.general(0);
    };
    cpu.ram.write(HIGH, Uint8Array.of(0xb8, 7, 0, 0, 0, 0xeb, 0x00, 0xf4));
    expect(run()).toBe(7n);
    cpu.memory.write(linear + 1n, 1, 9n);
    expect(run()).toBe(9n);
  });
});
