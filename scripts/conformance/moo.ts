// Reads MOO files, the format of SingleStepTests for later processors (chunks of a tag, a length and contents, little-endian).
import { gunzipSync } from "node:zlib";

const MOO_REGISTERS = [
  ...["ax", "bx", "cx", "dx", "cs", "ss", "ds", "es", "sp", "bp", "si", "di", "ip", "flags"],
] as const;

export interface MooState {
  /** Those that are given. */
  readonly registers: ReadonlyMap<string, number>;
  readonly ram: readonly (readonly [address: number, byte: number])[];
}

export interface MooTest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly initial: MooState;
  /** What differs from the initial state. */
  readonly final: MooState;
  /** Where the flags were pushed, if it ended in an exception. */
  readonly exception?: { readonly vector: number; readonly flagAddress: number };
}

interface Chunk {
  readonly tag: string;
  readonly at: number;
  readonly end: number;
}

function* chunks(view: DataView, from: number, end: number): Generator<Chunk> {
  for (let at = from; at + 8 <= end; ) {
    const tag = String.fromCharCode(...[0, 1, 2, 3].map((n) => view.getUint8(at + n)));
    const length = view.getUint32(at + 4, true);
    yield { tag, at: at + 8, end: at + 8 + length };
    at += 8 + length;
  }
}

/** Of the first chunk: the processor's name behind version, reserved word and count. */
const PROCESSOR_OFFSET = 8;

export interface MooFile {
  /** As the suite abbreviates it: "8086", "286 ". */
  readonly processor: string;
  readonly tests: readonly MooTest[];
}

export function readMoo(file: Uint8Array): MooFile {
  const bytes = gunzipSync(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let processor = "";
  const tests: MooTest[] = [];
  for (const chunk of chunks(view, 0, bytes.length)) {
    const name = chunk.at + PROCESSOR_OFFSET;
    if (chunk.tag === "MOO ") processor = new TextDecoder().decode(bytes.subarray(name, name + 4));
    else if (chunk.tag === "TEST") tests.push(readTest(bytes, view, chunk));
  }
  return { processor, tests };
}

const NOTHING: MooState = { registers: new Map(), ram: [] };

function readTest(bytes: Uint8Array, view: DataView, test: Chunk): MooTest {
  let name = "";
  let code = new Uint8Array(0);
  let initial = NOTHING;
  let final = NOTHING;
  let exception: MooTest["exception"];
  for (const { tag, at, end } of chunks(view, test.at + 4, test.end)) {
    if (tag === "NAME") name = new TextDecoder().decode(bytes.subarray(at + 4, end));
    else if (tag === "BYTS") code = bytes.slice(at + 4, end);
    else if (tag === "INIT") initial = readState(view, at, end);
    else if (tag === "FINA") final = readState(view, at, end);
    else if (tag === "EXCP") exception = { vector: view.getUint8(at), flagAddress: view.getUint32(at + 1, true) };
  }
  return { name, bytes: code, initial, final, ...(exception ? { exception } : {}) };
}

function readState(view: DataView, from: number, to: number): MooState {
  const registers = new Map<string, number>();
  const ram: [number, number][] = [];
  for (const { tag, at } of chunks(view, from, to)) {
    if (tag === "REGS") {
      const mask = view.getUint16(at, true);
      let next = at + 2;
      MOO_REGISTERS.forEach((register, n) => {
        if ((mask & (1 << n)) === 0) return;
        registers.set(register, view.getUint16(next, true));
        next += 2;
      });
    } else if (tag === "RAM ") {
      const count = view.getUint32(at, true);
      for (let n = 0; n < count; n++) ram.push([view.getUint32(at + 4 + n * 5, true), view.getUint8(at + 8 + n * 5)]);
    }
  }
  return { registers, ram };
}
