// Compares what a subject did with what the processor did.
import type { ArithmeticFlag, InstructionRow } from "../../native-core/x86/row.ts";
import { FLAGS_COMPARED, type Mode, type Outcome, STATE_IMAGE, type TestState } from "./vector-format.ts";

const FLAG_BITS: Record<ArithmeticFlag, bigint> = { CF: 0x1n, PF: 0x4n, AF: 0x10n, ZF: 0x40n, SF: 0x80n, OF: 0x800n };

const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];

/** RCPxx and RSQRTxx: relative error of either side against the exact value is at most 1.5 * 2^-12 (SDM 2B). */
const APPROXIMATE = /^V?(RCP|RSQRT)/;
const TOLERANCE = 2 * 1.5 * 2 ** -12;

export const ARITHMETIC_FLAGS = 0x8d5n;

/** In an image of processor state: x87 opcode and pointers, which the core does not track, and MXCSR_MASK, which has more bits on AMD. */
const differsInImages = (offset: number): boolean => (offset >= 6 && offset < 24) || (offset >= 28 && offset < 32);

/** x87 transcendental instructions: results within one unit in the last place, C1 (whether it was rounded up) not compared. */
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPATAN|FPTAN|FSIN|FCOS|FSINCOS)$/;
const C1 = 0x200;

/** Differences in words; empty if there are none. `ignoredFlags`: besides those that the row leaves undefined. */
export function compareOutcomes(
  row: InstructionRow | undefined,
  mode: Mode,
  expected: Outcome,
  actual: Outcome,
  ignoredFlags = 0n,
): string[] {
  const differences: string[] = [];
  const check = (what: string, want: bigint | number, got: bigint | number): void => {
    if (want !== got) differences.push(`${what}: expected ${want.toString(16)}, got ${got.toString(16)}`);
  };
  check("exception", expected.fault?.vector ?? -1, actual.fault?.vector ?? -1);
  if (expected.fault && actual.fault) {
    check("error code", expected.fault.errorCode, actual.fault.errorCode);
    if (expected.fault.vector === 14) check("cr2", expected.fault.cr2, actual.fault.cr2);
  }
  check("rip", expected.rip, actual.rip);
  let flags = FLAGS_COMPARED & ~ignoredFlags;
  for (const flag of row?.undefines ?? []) flags &= ~FLAG_BITS[flag];
  check("flags", expected.state.flags & flags, actual.state.flags & flags);
  compareStates(row, mode, expected.state, actual.state, check);
  return differences;
}

function compareStates(
  row: InstructionRow | undefined,
  mode: Mode,
  expected: TestState,
  actual: TestState,
  check: (what: string, want: bigint | number, got: bigint | number) => void,
): void {
  // Outside 64-bit code the upper halves are not defined.
  const [registers, bits] = mode === "64" ? [16, 64] : [8, 32];
  for (let n = 0; n < registers; n++) {
    check(`r${n}`, BigInt.asUintN(bits, expected.general[n] ?? 0n), BigInt.asUintN(bits, actual.general[n] ?? 0n));
  }
  for (let n = 0; n < 16; n++) {
    const want = expected.vector[n] ?? 0n;
    const got = actual.vector[n] ?? 0n;
    const [wantUpper, gotUpper] = [expected.upper[n] ?? 0n, actual.upper[n] ?? 0n];
    const approximate = row !== undefined && APPROXIMATE.test(row.mnemonic);
    if (!(approximate && areClose(want, got))) check(`xmm${n}`, want, got);
    if (!(approximate && areClose(wantUpper, gotUpper))) check(`ymm${n} upper`, wantUpper, gotUpper);
  }
  check("mxcsr", expected.mxcsr, actual.mxcsr);
  check("x87 control", expected.x87Control, actual.x87Control);
  const loose = row !== undefined && TRANSCENDENTAL.test(row.mnemonic);
  const status = loose ? ~C1 : -1;
  check("x87 status", expected.x87Status & status, actual.x87Status & status);
  check("x87 tag", expected.x87Tag, actual.x87Tag);
  expected.segments.forEach((selector, n) => {
    check(SEGMENT_NAMES[n] ?? "", normalizeNull(selector), normalizeNull(actual.segments[n] ?? 0));
  });
  for (let n = 0; n < 8; n++) {
    const [want, got] = [expected.x87[n] ?? 0n, actual.x87[n] ?? 0n];
    if (!loose || !areNeighbours(want, got)) check(`st${n}`, want, got);
  }
  const isImage = row !== undefined && STATE_IMAGE.test(row.mnemonic);
  for (let n = 0; n < expected.window.length; n++) {
    if (isImage && differsInImages(n)) continue;
    if (expected.window[n] !== actual.window[n]) {
      check(`memory +${n}`, expected.window[n] ?? 0, actual.window[n] ?? 0);
      break;
    }
  }
}

/** 80-bit values of the same sign at most one unit in the last place apart. */
function areNeighbours(a: bigint, b: bigint): boolean {
  // Without the explicit integer bit, consecutive values have consecutive encodings.
  const ordinal = (bits: bigint): bigint => ((bits >> 64n) << 63n) | BigInt.asUintN(63, bits);
  const distance = ordinal(a) - ordinal(b);
  return distance >= -1n && distance <= 1n;
}

/** On the way through the kernel a null selector loses its privilege level. */
function normalizeNull(selector: number): number {
  return selector < 4 ? 0 : selector;
}

function areClose(a: bigint, b: bigint): boolean {
  const lanes = (vector: bigint): Float32Array => {
    const view = new DataView(new ArrayBuffer(16));
    view.setBigUint64(0, BigInt.asUintN(64, vector), true);
    view.setBigUint64(8, vector >> 64n, true);
    return new Float32Array(view.buffer);
  };
  const y = lanes(b);
  return lanes(a).every((x, n) => {
    const other = y[n] ?? 0;
    return Object.is(x, other) || Math.abs(x - other) <= Math.abs(x) * TOLERANCE;
  });
}
