// The checked-in form of conformance vectors: what is in a file, and how states are written compactly.
// A file is gzipped lines of JSON, one line per instruction form:
//
//   { "row": "ADD|01|Ev,Gv", "mode": "64", "vectors": [[code, input, output], ...] }
//
// `code` is the instruction in hexadecimal. `input` holds what differs from BACKGROUND, `output` what differs from the input. Keys:
//   0..15 general registers   f RFLAGS   x0..x15 XMM registers   y0..y15 bits 255..128 of YMM registers   m MXCSR   c, s, t x87 control, status, abridged tag
//   p0..p7 x87 registers, ST(0) first   g0..g5 selectors of ES CS SS DS FS GS   wN bytes of the window from offset N   (all hexadecimal)
//   ip   RIP as an offset from the instruction, where it is not the next one (output only)
//   e    [vector, error code, CR2] of a fault (output only)
import { gunzipSync, gzipSync } from "node:zlib";

/** Where the instruction under test stands; the rest of its page is INT3. */
export const CODE_ADDRESS = 0x0800_0000n;
export const SLOT_ADDRESS = 0x0800_0800n;
/** The window is the last KiB of the data page; the page behind it is absent. */
export const DATA_ADDRESS = 0x1000_0000n;
export const WINDOW_ADDRESS = 0x1000_0c00n;
export const WINDOW_SIZE = 1024;

/** Flags that cases set and compare: CF PF AF ZF SF DF OF, NT, AC, ID. */
export const FLAGS_COMPARED = 0x24_4cd5n;

/** Instructions that store or load an image of x87, SSE and AVX state. It is at the start of the window, unless the case is to fault. */
export const STATE_IMAGE = /^(FX|X)(SAVE(OPT|C)?|RSTOR)$/;

/** 64-bit code, 32-bit code (the forms that 16-bit code has too), 16-bit code. */
export type Mode = "64" | "legacy" | "16";

/** Offset of the instruction in CS. 16-bit segments are based at the code and data pages. */
export function slotOffset(mode: Mode): bigint {
  return mode === "16" ? SLOT_ADDRESS - CODE_ADDRESS : SLOT_ADDRESS;
}

/** Offset of the window in DS and SS. */
export function windowOffsetOf(mode: Mode): bigint {
  return mode === "16" ? WINDOW_ADDRESS - DATA_ADDRESS : WINDOW_ADDRESS;
}

/** Architectural state around one instruction. */
export interface TestState {
  general: bigint[];
  flags: bigint;
  vector: bigint[];
  /** Bits 255..128 of the vector registers. */
  upper: bigint[];
  mxcsr: number;
  x87Control: number;
  x87Status: number;
  /** One bit per physical register, 1 = not empty, as FXSAVE writes it. */
  x87Tag: number;
  /** 80-bit values, ST(0) first. */
  x87: bigint[];
  /** Selectors of ES, CS, SS, DS, FS, GS. Those of user code in Linux: 0x23 32-bit code, 0x2b data, 0x33 64-bit code; 0x07 and 0x0f an LDT's 16-bit code and data. */
  segments: number[];
  window: Uint8Array;
}

export interface Fault {
  readonly vector: number;
  readonly errorCode: number;
  readonly cr2: bigint;
}

export interface Outcome {
  readonly state: TestState;
  /** Linear address of the next instruction (of the same one after a fault). */
  readonly rip: bigint;
  readonly fault?: Fault;
}

export type Delta = Record<string, string | readonly (number | string)[]>;
export type VectorRecord = readonly [code: string, input: Delta, output: Delta];

export interface VectorGroup {
  readonly row: string;
  readonly mode: Mode;
  readonly vectors: VectorRecord[];
}

const SEGMENTS_OF: Record<Mode, number[]> = {
  "64": [0x2b, 0x33, 0x2b, 0x2b, 0, 0],
  legacy: [0x2b, 0x23, 0x2b, 0x2b, 0, 0],
  "16": [0x0f, 0x07, 0x0f, 0x0f, 0, 0],
};

/** What registers and memory hold unless a case says otherwise. RSP points into the window. */
export function background(mode: Mode): TestState {
  const general = Array.from({ length: 16 }, (_, n) => 0x1011_1213_1415_1600n + BigInt(n) * 0x0101_0000_0100_0001n);
  // A 16-bit stack leaves the upper half of ESP alone.
  general[4] = windowOffsetOf(mode) + 512n + (mode === "16" ? 0x1234_0000n : 0n);
  return {
    general: mode === "64" ? general : general.map((value, n) => (n < 8 ? value & 0xffff_ffffn : 0n)),
    flags: 0x202n,
    vector: Array.from({ length: 16 }, (_, n) => 0x0f0e0d0c0b0a09080706050403020100n + BigInt(n) * (1n << 120n)),
    upper: Array.from({ length: 16 }, (_, n) => 0x1f1e1d1c1b1a19181716151413121110n + BigInt(n) * (1n << 120n)),
    mxcsr: 0x1f80,
    x87Control: 0x037f,
    x87Status: 0,
    x87Tag: 0,
    // 1, 2, 4 ... 128
    x87: Array.from({ length: 8 }, (_, n) => (BigInt(0x3fff + n) << 64n) | (1n << 63n)),
    segments: SEGMENTS_OF[mode],
    window: Uint8Array.from({ length: WINDOW_SIZE }, (_, n) => (n * 37 + 11) & 0xff),
  };
}

export function cloneState(state: TestState): TestState {
  return {
    ...state,
    general: [...state.general],
    vector: [...state.vector],
    upper: [...state.upper],
    x87: [...state.x87],
    segments: [...state.segments],
    window: state.window.slice(),
  };
}

const hex = (value: bigint | number): string => value.toString(16);
const fromHex = (text: string): bigint => BigInt(`0x${text}`);

/** What `state` has that `base` has not. */
export function difference(base: TestState, state: TestState): Delta {
  const delta: Delta = {};
  const list = (prefix: string, a: readonly (bigint | number)[], b: readonly (bigint | number)[]): void => {
    b.forEach((value, n) => {
      if (value !== a[n]) delta[`${prefix}${n}`] = hex(value);
    });
  };
  list("", base.general, state.general);
  if ((base.flags ^ state.flags) & FLAGS_COMPARED) delta["f"] = hex(state.flags & FLAGS_COMPARED);
  list("x", base.vector, state.vector);
  list("y", base.upper, state.upper);
  if (base.mxcsr !== state.mxcsr) delta["m"] = hex(state.mxcsr);
  if (base.x87Control !== state.x87Control) delta["c"] = hex(state.x87Control);
  if (base.x87Status !== state.x87Status) delta["s"] = hex(state.x87Status);
  if (base.x87Tag !== state.x87Tag) delta["t"] = hex(state.x87Tag);
  list("p", base.x87, state.x87);
  list("g", base.segments, state.segments);
  for (const [start, end] of changedRuns(base.window, state.window)) {
    delta[`w${start}`] = Buffer.from(state.window.subarray(start, end)).toString("hex");
  }
  return delta;
}

/** Runs of differing bytes; gaps of up to three equal bytes are bridged. */
function changedRuns(a: Uint8Array, b: Uint8Array): [number, number][] {
  const runs: [number, number][] = [];
  for (let n = 0; n < b.length; n++) {
    if (a[n] === b[n]) continue;
    const last = runs.at(-1);
    if (last && n - last[1] <= 3) last[1] = n + 1;
    else runs.push([n, n + 1]);
  }
  return runs;
}

/** `base` with `delta` applied. */
export function applyDelta(base: TestState, delta: Delta): TestState {
  const state = cloneState(base);
  for (const [key, value] of Object.entries(delta)) {
    if (typeof value !== "string") continue;
    const n = Number(key.slice(1));
    if (/^\d+$/.test(key)) state.general[Number(key)] = fromHex(value);
    else if (key === "f") state.flags = (base.flags & ~FLAGS_COMPARED) | fromHex(value);
    else if (key === "m") state.mxcsr = Number.parseInt(value, 16);
    else if (key === "c") state.x87Control = Number.parseInt(value, 16);
    else if (key === "s") state.x87Status = Number.parseInt(value, 16);
    else if (key === "t") state.x87Tag = Number.parseInt(value, 16);
    else if (key.startsWith("x")) state.vector[n] = fromHex(value);
    else if (key.startsWith("y")) state.upper[n] = fromHex(value);
    else if (key.startsWith("p")) state.x87[n] = fromHex(value);
    else if (key.startsWith("g")) state.segments[n] = Number.parseInt(value, 16);
    else if (key.startsWith("w")) state.window.set(Buffer.from(value, "hex"), n);
  }
  return state;
}

export function encodeOutcome(mode: Mode, input: TestState, outcome: Outcome, length: number): Delta {
  const delta = difference(input, outcome.state);
  const offset = outcome.rip - slotOffset(mode);
  if (offset !== BigInt(length)) delta["ip"] = offset.toString();
  if (outcome.fault) {
    const { vector, errorCode, cr2 } = outcome.fault;
    delta["e"] = vector === 14 ? [vector, errorCode, hex(cr2)] : [vector, errorCode];
  }
  return delta;
}

export function decodeOutcome(mode: Mode, input: TestState, delta: Delta, length: number): Outcome {
  const ip = delta["ip"];
  const fault = delta["e"];
  const outcome = {
    state: applyDelta(input, delta),
    rip: slotOffset(mode) + (typeof ip === "string" ? BigInt(ip) : BigInt(length)),
  };
  if (!Array.isArray(fault)) return outcome;
  const [vector, errorCode, cr2] = fault as unknown as readonly [number, number, string?];
  return { ...outcome, fault: { vector, errorCode, cr2: cr2 === undefined ? 0n : fromHex(cr2) } };
}

export function packGroups(groups: readonly VectorGroup[]): Uint8Array {
  return gzipSync(groups.map((group) => `${JSON.stringify(group)}\n`).join(""), { level: 9 });
}

export function unpackGroups(file: Uint8Array): VectorGroup[] {
  return gunzipSync(file)
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as VectorGroup);
}
