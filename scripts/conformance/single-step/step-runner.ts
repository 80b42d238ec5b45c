// Runs cases of SingleStepTests on the interpreter, in real mode.
//
// Neither the processors nor their computers are what is emulated, and memory is RAM throughout: cases are left out that touch video memory
// or ROM, have more than ten bytes, or LOCK where later processors refuse it. Flags that the architecture leaves undefined are not
// compared, nor what the suite's own masks leave out. What an 8086 does otherwise is in OF_8086; those files are not run.
import { buildInterpreter } from "../../../native-core/cpu/interpreter/build-interpreter.ts";
import { createVcpu } from "../../../native-core/cpu/vcpu-group.ts";
import { InstructionDecoder } from "../../../native-core/x86/decoder/instruction-decoder.ts";
import type { ArithmeticFlag, InstructionRow } from "../../../native-core/x86/row.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { model, platform } from "../user-mode.ts";
import type { StepProcessor, StepTest } from "./step-test.ts";

const RAM_BYTES = 32 << 20;
/** A 286 has no longer instructions, and a 386EX was given none. */
const LONGEST = 10;
/** CF PF AF ZF SF TF IF DF OF. */
const FLAGS = 0xfd5;
const FLAG_BITS: Record<ArithmeticFlag, number> = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800 };
const MAX_STEPS = 1000;
const RSP = 4;
const GENERAL = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
/** PCs have video memory and ROM from here to 1 MiB. */
const HOLE = { from: 0xa_0000, to: 0x10_0000 } as const;
const LOCK = 0xf0;

/** Of the 8086 alone, by opcode. */
const OF_8086: readonly (readonly [opcodes: RegExp, reason: string])[] = [
  [/^(0F|6.|C0|C1|C8|C9|F1)\b/, "opcodes that later processors use otherwise"],
  [/^(8C|8E)\b/, "segment register numbers 4 to 7 repeat 0 to 3"],
  [/^(D[0-3]\.6|F[67]\.1|FE\.[2-7]|FF\.7)\b/, "forms that later became undefined or other instructions"],
  [/^D[23]\b/, "shift counts are not taken modulo 32"],
  [/^54\b/, "PUSH SP stores the new value"],
  [/^(9C|CC|CD|CE)\b/, "bits 15 to 12 of the flags are set when they are stored"],
  [/^(D4|F[67]\.[67])\b/, "divide errors return behind the instruction"],
  [/^(D[89A-F])\b/, "the coprocessor is another one"],
];
const STACK_FAULT = 12;
const PROTECTION = 13;
const UNDEFINED_OPCODE = 6;
const SEGMENT_FAULTS = [STACK_FAULT, PROTECTION];

export interface StepOutcome {
  /** What came out otherwise than the case says. */
  readonly differences: readonly string[];
  /** Why later processors do this otherwise; undefined: they should not. */
  readonly reason?: string;
}

/** Why a file is not run; undefined: it is. */
export function reasonToSkip(processor: StepProcessor, opcode: string): string | undefined {
  return processor === "8086" ? OF_8086.find(([opcodes]) => opcodes.test(opcode))?.[1] : undefined;
}

export class StepRunner {
  readonly #vcpu = createVcpu({
    ramBytes: RAM_BYTES,
    interpreterModule: new WebAssembly.Module(buildInterpreter()),
    platform: { ...platform, readPort: (_, size) => 2 ** (8 * size) - 1 },
    interrupts: { hasInterrupt: () => false, acknowledge: () => undefined },
    bus: { readMmio: () => 0xff, writeMmio: () => {} },
    model,
  });
  /** The last case ended in interrupt 12, whose handler is not that of a case. */
  #stackFaulted = false;
  readonly #decoder = new InstructionDecoder(2);

  /** Undefined for a case that is left out. */
  run(processor: StepProcessor, test: StepTest): StepOutcome | undefined {
    if (!isComparable(test)) return undefined;
    const bytes = this.#vcpu.ram.bytes();
    this.#prepare(test);
    try {
      if (processor === "8086") this.#runInstruction(test);
      else this.#runToHalt();
      if (processor === "8086" && this.#wraps(test)) return undefined;
      const differences = this.#differences(processor, test);
      const reason = differences.length === 0 ? undefined : this.#reasonOf(processor, test, differences);
      return reason === undefined ? { differences } : { differences, reason };
    } finally {
      for (const [address] of [...test.initial.ram, ...test.final.ram]) bytes[address] = 0;
    }
  }

  #prepare({ initial }: StepTest): void {
    const vcpu = this.#vcpu;
    vcpu.reset();
    const { state } = vcpu;
    const register = (name: string): bigint => BigInt(initial.registers.get(name) ?? 0);
    GENERAL.forEach((name, n) => {
      state.setGeneral(n, register(name));
    });
    for (const segment of SEGMENTS) {
      state.setSegment(segment, "selector", register(segment));
      state.setSegment(segment, "base", register(segment) << 4n);
    }
    state.set(STATE.rip, register("ip"));
    state.flags = (register("flags") & BigInt(FLAGS)) | 2n;
    const bytes = vcpu.ram.bytes();
    for (const [address, byte] of initial.ram) bytes[address] = byte;
    vcpu.invalidateAll();
  }

  #runToHalt(): void {
    this.#stackFaulted = false;
    for (let step = 0; step < MAX_STEPS && this.#vcpu.step() !== "halted"; step++)
      this.#stackFaulted ||= this.#endedAt([STACK_FAULT]);
  }

  /** One instruction, a REP with all its rounds; cases of later processors end at a HLT behind it. */
  #runInstruction({ bytes }: StepTest): void {
    const start = this.#vcpu.state.get(STATE.rip);
    const repeats = bytes.some((byte) => byte === 0xf2 || byte === 0xf3);
    for (let step = 0; step < MAX_STEPS; step++) {
      if (this.#vcpu.step() === "halted" || !repeats || this.#vcpu.state.get(STATE.rip) !== start) return;
    }
  }

  /** Whether the instruction was interrupted by one of `vectors`. */
  #endedAt(vectors: readonly number[]): boolean {
    const { state, ram } = this.#vcpu;
    const bytes = ram.bytes();
    const ip = Number(state.get(STATE.rip));
    const handler = (vector: number): number => (bytes[vector * 4] ?? 0) | ((bytes[vector * 4 + 1] ?? 0) << 8);
    return vectors.some((vector) => ip === handler(vector));
  }

  /** Words at offset 0FFFFh, and addresses beyond 1 MiB, wrap around on an 8086. */
  #wraps({ initial }: StepTest): boolean {
    const segments = SEGMENTS.map((name) => initial.registers.get(name) ?? 0);
    return segments.some((selector) => selector > 0xefff) || this.#endedAt(SEGMENT_FAULTS);
  }

  /** What the processor of a case does otherwise than all later ones. */
  #reasonOf(processor: StepProcessor, test: StepTest, differences: readonly string[]): string | undefined {
    const mnemonic = this.#rowOf(test)?.mnemonic ?? "";
    const names = differences.map((text) => text.split(" ")[0] ?? "");
    if (processor === "8086") {
      if (/^(DAA|DAS)$/.test(mnemonic)) return "DAA and DAS of digits that are none compare AL with 9Fh if AF is set";
      if (/^(AAA|AAS)$/.test(mnemonic)) return "AAA and AAS adjust AL and AH apart, not AX";
      if (/^push sp$/.test(test.name)) return "PUSH SP stores the new value";
    }
    if (processor !== "80286" || test.exception === undefined) return undefined;
    if (test.exception.vector === UNDEFINED_OPCODE && /\b[fg]s\b/.test(test.name)) return "there are no FS and GS";
    if (test.exception.vector !== PROTECTION) return undefined;
    if (/^(INS|OUTS|MOVS|CMPS|STOS|LODS|SCAS)/.test(mnemonic) && names.every((name) => /^(si|di|cx)$/.test(name)))
      return "a string instruction that faults has changed its registers";
    return this.#stackFaulted ? "an access beyond the stack's limit is interrupt 13, not 12" : undefined;
  }

  /** Undefined for an undefined opcode. */
  #rowOf(test: StepTest): InstructionRow | undefined {
    const padded = new Uint8Array(64);
    padded.set(test.bytes);
    this.#decoder.decode(padded, 0, 0, []);
    return this.#decoder.leaf?.row;
  }

  #differences(processor: StepProcessor, test: StepTest): string[] {
    const found: string[] = [];
    const width = processor === "80386" ? 0xffff_ffff : 0xffff;
    const ignored = (this.#rowOf(test)?.undefines ?? []).reduce((mask, flag) => mask | FLAG_BITS[flag], 0);
    const compared = FLAGS & ~ignored & (test.masks.get("flags") ?? FLAGS);
    const { state } = this.#vcpu;
    const check = (name: string, want: number, got: number): void => {
      if (want !== got) found.push(`${name} ${want.toString(16)} is ${got.toString(16)}`);
    };
    const register = (name: string, got: number, mask: number): void => {
      const want = test.final.registers.get(name) ?? test.initial.registers.get(name) ?? 0;
      const counted = mask & (test.masks.get(name) ?? mask);
      check(name, (want & counted) >>> 0, (got & counted) >>> 0);
    };
    GENERAL.forEach((name, n) => {
      register(name, Number(state.general(n) & 0xffff_ffffn), width);
    });
    for (const segment of SEGMENTS) {
      if (test.initial.registers.has(segment)) register(segment, state.segmentNumber(segment, "selector"), 0xffff);
    }
    register("ip", Number(state.get(STATE.rip)), width);
    register("flags", Number(state.flags), compared);
    const bytes = this.#vcpu.ram.bytes();
    // Behind IP and CS, where an exception has left them.
    const frame = state.segment("ss", "base") + ((state.general(RSP) + 4n) & 0xffffn);
    const pushed = test.exception === undefined ? undefined : Number(frame);
    for (const [address, byte] of test.final.ram) {
      const offset = pushed === undefined ? -1 : address - pushed;
      const mask = offset === 0 ? compared & 0xff : offset === 1 ? compared >> 8 : 0xff;
      check(`[${address.toString(16)}]`, byte & mask, (bytes[address] ?? 0) & mask);
    }
    return found;
  }
}

function isComparable({ bytes, initial, final }: StepTest): boolean {
  if (bytes.length - 1 > LONGEST || bytes.includes(LOCK)) return false;
  return [...initial.ram, ...final.ram].every(([address]) => address < HOLE.from || address >= HOLE.to);
}
