// Runs cases on this machine's processor: builds runner.s with binutils, feeds it records, reads results. Layouts as in runner.s.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mode, type Outcome, type TestState, WINDOW_SIZE } from "./vector-format.ts";

const RECORD_SIZE = 2304;
const CODE_OFFSET = 144;
const CODE_SIZE = 112;
const IMAGE_OFFSET = 256;
const WINDOW_OFFSET = 1280;
/** In the XSAVE image (SDM 1 13.4): XSTATE_BV, and bits 255..128 of the vector registers. */
const XSTATE_BV = 512;
const UPPER_HALVES = 576;
const IMAGE_SIZE = 832;
const COMPONENT_X87 = 1n;
const COMPONENT_SSE = 2n;
const COMPONENT_AVX = 4n;
const MODE_NUMBERS: Record<Mode, number> = { "64": 0, legacy: 1, "16": 2 };
const TRAP_BREAKPOINT = 3;
const TRAP_PAGE_FAULT = 14;
const ERROR_FETCH = 0x10;
/** Where the runner puts DS, ES, FS and GS; CS and SS are in the signal frame. */
const SEGMENTS_OFFSET = 184;

/** Index of RAX..R15 in the signal frame. */
const GREGS = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7];
const GREG = { rip: 16, flags: 17, segments: 18, errorCode: 19, trap: 20, cr2: 22 };

export interface NativeCase {
  readonly mode: Mode;
  readonly code: Uint8Array;
  readonly input: TestState;
}

export class NativeRunner {
  readonly #folder = mkdtempSync(join(tmpdir(), "terrarium-conformance-"));
  readonly #program: string;

  constructor() {
    const object = join(this.#folder, "runner.o");
    this.#program = join(this.#folder, "runner");
    execFileSync("as", ["--64", "-o", object, new URL("runner.s", import.meta.url).pathname]);
    execFileSync("ld", ["-static", "-o", this.#program, object]);
  }

  run(cases: readonly NativeCase[]): Outcome[] {
    const records = new Uint8Array(cases.length * RECORD_SIZE);
    cases.forEach((one, n) => {
      writeRecord(records.subarray(n * RECORD_SIZE, (n + 1) * RECORD_SIZE), one);
    });
    const inputPath = join(this.#folder, "input");
    const outputPath = join(this.#folder, "output");
    writeFileSync(inputPath, records);
    const input = openSync(inputPath, "r");
    const output = openSync(outputPath, "w");
    execFileSync(this.#program, [], { stdio: [input, output, "inherit"], timeout: 60_000 });
    closeSync(input);
    closeSync(output);
    const results = readFileSync(outputPath);
    if (results.length !== records.length) {
      throw new Error(`the runner answered ${results.length / RECORD_SIZE} of ${cases.length} cases`);
    }
    return cases.map((_, n) => readResult(results.subarray(n * RECORD_SIZE, (n + 1) * RECORD_SIZE)));
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function writeRecord(record: Uint8Array, { mode, code, input }: NativeCase): void {
  const view = viewOf(record);
  input.general.forEach((value, n) => {
    view.setBigUint64(n * 8, value, true);
  });
  view.setBigUint64(128, input.flags, true);
  view.setUint32(136, MODE_NUMBERS[mode], true);
  record.fill(0xcc, CODE_OFFSET, CODE_OFFSET + CODE_SIZE);
  record.set(code, CODE_OFFSET);
  record.set(xsaveImage(input), IMAGE_OFFSET);
  record.set(input.window, WINDOW_OFFSET);
}

function xsaveImage(state: TestState): Uint8Array {
  const image = new Uint8Array(IMAGE_SIZE);
  image.set(fxsaveImage(state));
  const view = viewOf(image);
  view.setBigUint64(XSTATE_BV, componentsInUse(state), true);
  state.upper.forEach((value, n) => {
    view.setBigUint64(UPPER_HALVES + n * 16, BigInt.asUintN(64, value), true);
    view.setBigUint64(UPPER_HALVES + n * 16 + 8, value >> 64n, true);
  });
  return image;
}

/** Components that are not in their initial state (SDM 1 13.6). */
function componentsInUse(state: TestState): bigint {
  const { x87Control, x87Status, x87Tag, x87, vector, upper } = state;
  const holds = (values: readonly bigint[]): boolean => values.some((value) => value !== 0n);
  const usesX87 = x87Control !== 0x37f || x87Status !== 0 || x87Tag !== 0 || holds(x87);
  return (usesX87 ? COMPONENT_X87 : 0n) | (holds(vector) ? COMPONENT_SSE : 0n) | (holds(upper) ? COMPONENT_AVX : 0n);
}

/** The FXSAVE image of a state (SDM 1 10.5.1). */
export function fxsaveImage(state: TestState): Uint8Array {
  const image = new Uint8Array(512);
  const view = viewOf(image);
  view.setUint16(0, state.x87Control, true);
  view.setUint16(2, state.x87Status, true);
  view.setUint8(4, state.x87Tag);
  view.setUint32(24, state.mxcsr, true);
  state.x87.forEach((value, n) => {
    view.setBigUint64(32 + n * 16, BigInt.asUintN(64, value), true);
    view.setUint16(40 + n * 16, Number(value >> 64n), true);
  });
  state.vector.forEach((value, n) => {
    view.setBigUint64(160 + n * 16, BigInt.asUintN(64, value), true);
    view.setBigUint64(168 + n * 16, value >> 64n, true);
  });
  return image;
}

function readResult(result: Uint8Array): Outcome {
  const view = viewOf(result);
  const greg = (n: number): bigint => view.getBigUint64(n * 8, true);
  const image = viewOf(result.subarray(IMAGE_OFFSET, IMAGE_OFFSET + IMAGE_SIZE));
  const wide = (offset: number, topBits: 16 | 64): bigint => {
    const top = topBits === 16 ? BigInt(image.getUint16(offset + 8, true)) : image.getBigUint64(offset + 8, true);
    return image.getBigUint64(offset, true) | (top << 64n);
  };
  const hasUpper = (image.getBigUint64(XSTATE_BV, true) & COMPONENT_AVX) !== 0n;
  const state: TestState = {
    general: GREGS.map(greg),
    flags: greg(GREG.flags),
    vector: Array.from({ length: 16 }, (_, n) => wide(160 + n * 16, 64)),
    upper: Array.from({ length: 16 }, (_, n) => (hasUpper ? wide(UPPER_HALVES + n * 16, 64) : 0n)),
    mxcsr: image.getUint32(24, true),
    x87Control: image.getUint16(0, true),
    x87Status: image.getUint16(2, true),
    x87Tag: image.getUint8(4),
    x87: Array.from({ length: 8 }, (_, n) => wide(32 + n * 16, 16)),
    segments: readSegments(view),
    window: result.slice(WINDOW_OFFSET, WINDOW_OFFSET + WINDOW_SIZE),
  };
  const trap = Number(greg(GREG.trap));
  const rip = greg(GREG.rip);
  if (trap === TRAP_BREAKPOINT) return { state, rip: rip - 1n };
  const errorCode = Number(greg(GREG.errorCode));
  // A branch to where nothing is: the instruction itself is done.
  if (trap === TRAP_PAGE_FAULT && errorCode & ERROR_FETCH) return { state, rip };
  const fault = { vector: trap, errorCode, cr2: greg(GREG.cr2) };
  return { state, rip, fault };
}

function readSegments(view: DataView): number[] {
  const saved = (n: number): number => view.getUint16(SEGMENTS_OFFSET + n * 2, true);
  const frame = GREG.segments * 8;
  return [saved(1), view.getUint16(frame, true), view.getUint16(frame + 6, true), saved(0), saved(2), saved(3)];
}
