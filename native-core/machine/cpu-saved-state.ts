// The processor's part of a saved state, by architectural name, not as an image of the layout: a later version may move its slots.
import { z } from "zod";
import type { SegmentPart } from "../cpu/cpu-state.ts";
import { CpuState } from "../cpu/cpu-state.ts";
import { arrayOf, bytes, u64 } from "../devices/state-schema.ts";
import {
  GPR_COUNT,
  SEGMENT_FIELDS,
  SEGMENTS,
  STATE,
  type StateName,
  X87_OFFSET,
  X87_STRIDE,
} from "../x86/state-layout.ts";

const VECTOR_COUNT = 16;
const X87_COUNT = 8;

/** Slots that follow from others or belong to the running loop; `modeChanged` and the loop set them anew. */
const DERIVED: ReadonlySet<StateName> = new Set<StateName>([
  "flagResult",
  "flagCarry",
  "flagAux",
  "systemFlags",
  "ldtr",
  "tr",
  "avxBlocked",
  "vectorLowFlags",
  "eventPending",
  "instructionDeadline",
  "mappingGeneration",
  "codeModes",
  "mtrrVariable",
  "mtrrFixed",
  "machineCheckBanks",
  "debugArmed",
]);
/** Register files that STATE names by their first register. */
const FILES = { mtrrVariable: 16, mtrrFixed: 11, machineCheckBanks: 18 } as const;
type FileName = keyof typeof FILES;
const SLOTS = (Object.keys(STATE) as StateName[]).filter((name) => !DERIVED.has(name));
const PARTS = Object.keys(SEGMENT_FIELDS) as SegmentPart[];

/** Slots that saved states did not have from the start, with what they hold where they are missing. */
const ADDED: Partial<Record<StateName, bigint>> = {
  xcr0: 1n,
  nmiPending: 0n,
  nmiBlocked: 0n,
  initPending: 0n,
  startupPending: 0n,
  startupPage: 0n,
  numericErrorsIgnored: 0n,
  debugHits: 0n,
  mcgStatus: 0n,
  mcgControl: 0n,
};

const segmentSchema = z.strictObject({ base: u64, limit: u64, attributes: u64, selector: u64 });
type SavedSegment = z.infer<typeof segmentSchema>;

type Slots = Record<StateName, typeof u64>;

function slotSchema(name: StateName): z.ZodType<bigint> {
  const missing = ADDED[name];
  return missing === undefined ? u64 : u64.default(missing);
}

export const cpuSavedStateSchema = z.strictObject({
  general: arrayOf(u64, GPR_COUNT),
  flags: u64,
  registers: z.strictObject(Object.fromEntries(SLOTS.map((name) => [name, slotSchema(name)])) as Slots),
  segments: arrayOf(segmentSchema, SEGMENTS.length),
  ldtr: segmentSchema,
  tr: segmentSchema,
  mtrrVariable: arrayOf(u64, FILES.mtrrVariable),
  mtrrFixed: arrayOf(u64, FILES.mtrrFixed),
  machineCheckBanks: arrayOf(u64, FILES.machineCheckBanks).default(() =>
    new Array<bigint>(FILES.machineCheckBanks).fill(0n),
  ),
  vectors: arrayOf(bytes(16), VECTOR_COUNT),
  /** Bits 255..128 of the YMM registers. */
  upperVectors: arrayOf(bytes(16), VECTOR_COUNT).default(() =>
    Array.from({ length: VECTOR_COUNT }, () => zeroVector()),
  ),
  x87: arrayOf(bytes(X87_STRIDE), X87_COUNT),
});
export type CpuSavedState = z.infer<typeof cpuSavedStateSchema>;

export function saveCpu(state: CpuState): CpuSavedState {
  return {
    general: Array.from({ length: GPR_COUNT }, (_, register) => state.general(register)),
    flags: state.flags,
    registers: Object.fromEntries(SLOTS.map((name) => [name, state.get(STATE[name])])) as CpuSavedState["registers"],
    segments: SEGMENTS.map((segment) => readSegment((part) => state.segment(segment, part))),
    ldtr: readSegment((part) => state.get(tableSlot("ldtr", part))),
    tr: readSegment((part) => state.get(tableSlot("tr", part))),
    mtrrVariable: readFile(state, "mtrrVariable"),
    mtrrFixed: readFile(state, "mtrrFixed"),
    machineCheckBanks: readFile(state, "machineCheckBanks"),
    vectors: Array.from({ length: VECTOR_COUNT }, (_, register) => vectorBytes(state.vector(register))),
    upperVectors: Array.from({ length: VECTOR_COUNT }, (_, register) => vectorBytes(state.vectorUpper(register))),
    x87: Array.from({ length: X87_COUNT }, (_, register) => {
      const offset = X87_OFFSET + register * X87_STRIDE;
      return state.bytes.slice(offset, offset + X87_STRIDE);
    }),
  };
}

export function restoreCpu(state: CpuState, saved: CpuSavedState): void {
  for (const [register, value] of saved.general.entries()) state.setGeneral(register, value);
  for (const name of SLOTS) state.set(STATE[name], saved.registers[name]);
  state.flags = saved.flags;
  for (const [index, segment] of saved.segments.entries()) {
    for (const part of PARTS) state.setSegment(index, part, segment[part]);
  }
  for (const part of PARTS) {
    state.set(tableSlot("ldtr", part), saved.ldtr[part]);
    state.set(tableSlot("tr", part), saved.tr[part]);
  }
  for (const file of Object.keys(FILES) as FileName[]) {
    for (const [register, value] of saved[file].entries()) state.set(fileSlot(file, register), value);
  }
  for (const [register, value] of saved.vectors.entries()) state.setVector(register, vectorOf(value));
  for (const [register, value] of saved.upperVectors.entries()) state.setVectorUpper(register, vectorOf(value));
  for (const [register, value] of saved.x87.entries()) state.bytes.set(value, X87_OFFSET + register * X87_STRIDE);
}

const zeroVector = (): Uint8Array<ArrayBuffer> => new Uint8Array(16);

function vectorBytes(vector: bigint): Uint8Array<ArrayBuffer> {
  const value = zeroVector();
  const view = new DataView(value.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, vector), true);
  view.setBigUint64(8, vector >> 64n, true);
  return value;
}

function vectorOf(value: Uint8Array): bigint {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n);
}

function fileSlot(file: FileName, register: number) {
  return { offset: STATE[file].offset + register * 8, type: STATE[file].type };
}

function readFile(state: CpuState, file: FileName): bigint[] {
  return Array.from({ length: FILES[file] }, (_, register) => state.get(fileSlot(file, register)));
}

function tableSlot(table: "ldtr" | "tr", part: SegmentPart) {
  const field = SEGMENT_FIELDS[part];
  return { offset: STATE[table].offset + field.offset, type: field.type };
}

function readSegment(read: (part: SegmentPart) => bigint): SavedSegment {
  return { base: read("base"), limit: read("limit"), attributes: read("attributes"), selector: read("selector") };
}
