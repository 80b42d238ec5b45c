// Segment limits of operands that no ModRM byte names: string sources and targets, the stack (found by SingleStepTests of the 80286).
import { describe, expect, it } from "vitest";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterProtectedMode,
  HANDLERS,
  interpreterMachine,
  interpreterModule,
} from "../../support/cpu/long-mode.ts";

// Generating the interpreter takes longer than a test may on a busy host.
interpreterModule();

const VECTOR_SS = 12;
const VECTOR_GP = 13;
const [ECX, ESP, EBP, ESI, EDI] = [1, 4, 5, 6, 7] as const;
/** Error code, EIP, CS, EFLAGS. */
const FRAME_BYTES = 16;

/** A segment or several end right behind DATA + 0xfff. */
function machine(limited: readonly ("ds" | "es" | "ss")[], ...code: number[]) {
  const cpu = interpreterMachine();
  enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
  cpu.ram.write(CODE, Uint8Array.from(code));
  for (const name of limited) cpu.state.setSegment(name, "limit", BigInt(DATA + 0xfff));
  cpu.modeChanged();
  cpu.invalidateAll();
  return cpu;
}

const handlerOf = (vector: number): bigint => BigInt(HANDLERS + vector * 16);

describe("a string instruction", () => {
  it.each([
    ["LODS", [0xad], ESI],
    ["STOS", [0xab], EDI],
    ["SCAS", [0xaf], EDI],
    ["MOVS", [0xa5], EDI],
  ])("%s raises #GP where its operand reaches beyond the limit", (_, code, register) => {
    const cpu = machine(["ds", "es"], ...code);
    cpu.state.setGeneral(ESI, BigInt(DATA));
    cpu.state.setGeneral(EDI, BigInt(DATA));
    cpu.state.setGeneral(register, BigInt(DATA + 0xffd));
    cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(handlerOf(VECTOR_GP));
    expect(cpu.state.general(register)).toBe(BigInt(DATA + 0xffd));
  });

  it("REP STOS fills up to the limit and faults there", () => {
    const cpu = machine(["ds", "es"], 0xf3, 0xab);
    cpu.state.setGeneral(ECX, 8n);
    cpu.state.setGeneral(EDI, BigInt(DATA + 0xff0));
    for (let n = 0; n < 8 && cpu.state.get(STATE.rip) === BigInt(CODE); n++) cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(handlerOf(VECTOR_GP));
    expect(cpu.state.general(EDI)).toBe(BigInt(DATA + 0x1000));
    expect(cpu.state.general(ECX)).toBe(4n);
  });

  it("REP MOVS with 16-bit addresses goes on at offset 0", () => {
    const cpu = machine(["ds", "es"], 0x67, 0xf3, 0xa4);
    for (const name of ["ds", "es"] as const) {
      cpu.state.setSegment(name, "limit", 0xffffn);
      cpu.state.setSegment(name, "base", BigInt(DATA));
    }
    cpu.ram.write(DATA + 0xfffe, Uint8Array.of(1, 2));
    cpu.ram.write(DATA, Uint8Array.of(3, 4));
    cpu.state.setGeneral(ECX, 4n);
    cpu.state.setGeneral(ESI, 0xfffen);
    cpu.state.setGeneral(EDI, 0x100n);
    for (let n = 0; n < 8 && cpu.state.get(STATE.rip) === BigInt(CODE); n++) cpu.step();
    expect([...cpu.ram.bytes().subarray(DATA + 0x100, DATA + 0x104)]).toEqual([1, 2, 3, 4]);
    expect(cpu.state.general(ESI)).toBe(2n);
  });
});

describe("the stack", () => {
  it.each([
    ["POP", [0x58]],
    ["RET", [0xc3]],
    ["LEAVE", [0xc9]],
  ])("%s raises #SS where it reaches beyond the limit, and leaves ESP alone", (_, code) => {
    const cpu = machine(["ss"], ...code);
    const pointer = DATA + 0xffd;
    cpu.state.setGeneral(ESP, BigInt(pointer));
    cpu.state.setGeneral(EBP, BigInt(pointer));
    cpu.step();
    expect(cpu.state.get(STATE.rip)).toBe(handlerOf(VECTOR_SS));
    expect(cpu.state.general(ESP)).toBe(BigInt(pointer - FRAME_BYTES));
  });
});
