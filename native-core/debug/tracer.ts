// Says what the guest executes, instruction by instruction: address, text, and the registers that changed.
//
//   ffffffff81000000  mov    rax,rbx                          rax=1f
import type { CpuState } from "../cpu/cpu-state.ts";
import type { InterpreterVcpu } from "../cpu/vcpu.ts";
import type { VcpuExit } from "../cpu/vcpu-contract.ts";
import type { CodeMode } from "../x86/decoder/decode-block.ts";
import { disassemble } from "../x86/decoder/disassemble.ts";
import { GPR_COUNT, STATE } from "../x86/state-layout.ts";

const NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];
const TEXT_COLUMN = 44;
/** Bytes that a disassembler may look at. */
const CODE_BYTES = 32;

/** The instruction at RIP; undefined where its bytes are not mapped. Reads memory without a trace in the guest but accessed bits. */
export function instructionAt(vcpu: InterpreterVcpu, rip: bigint): string | undefined {
  const { state } = vcpu;
  const mode = state.getNumber(STATE.codeMode) as CodeMode;
  const base = mode === 8 ? 0n : state.segment("cs", "base");
  const bytes = new Uint8Array(CODE_BYTES);
  for (let n = 0; n < CODE_BYTES; n++) {
    const host = vcpu.translate(BigInt.asUintN(64, base + rip + BigInt(n)));
    if (host === undefined) {
      if (n === 0) return undefined;
      break;
    }
    bytes[n] = vcpu.ram.bytes()[host] ?? 0;
  }
  return disassemble(bytes, rip, mode).text;
}

/** Executes up to `count` instructions and reports each; yields why it stopped. */
export function trace(vcpu: InterpreterVcpu, count: number, report: (line: string) => void): VcpuExit {
  let before = registers(vcpu.state);
  for (let n = 0; n < count; n++) {
    const rip = vcpu.state.get(STATE.rip);
    const text = instructionAt(vcpu, rip) ?? "(not mapped)";
    const exit = vcpu.step();
    const after = registers(vcpu.state);
    const changed = after.flatMap((value, register) =>
      value === before[register] ? [] : [`${NAMES[register]}=${value.toString(16)}`],
    );
    report(`${rip.toString(16).padStart(16, "0")}  ${text.padEnd(TEXT_COLUMN)} ${changed.join(" ")}`.trimEnd());
    before = after;
    if (exit !== "deadline") return exit;
  }
  return "deadline";
}

function registers(state: CpuState): bigint[] {
  return Array.from({ length: GPR_COUNT }, (_, register) => state.general(register));
}

/** All registers and the mode, for a report of what a guest was doing when it stopped. */
export function describeState(state: CpuState): string {
  const hex = (value: bigint): string => value.toString(16).padStart(16, "0");
  const lines: string[] = [];
  for (let register = 0; register < GPR_COUNT; register += 4) {
    const row = NAMES.slice(register, register + 4).map(
      (name, n) => `${name.padStart(3)}=${hex(state.general(register + n))}`,
    );
    lines.push(row.join(" "));
  }
  const slot = (name: keyof typeof STATE): string => `${name}=${state.get(STATE[name]).toString(16)}`;
  lines.push(`rip=${hex(state.get(STATE.rip))} flags=${state.flags.toString(16)} ${slot("cpl")} ${slot("codeMode")}`);
  lines.push([slot("cr0"), slot("cr2"), slot("cr3"), slot("cr4"), slot("efer"), slot("halted")].join(" "));
  return lines.join("\n");
}
