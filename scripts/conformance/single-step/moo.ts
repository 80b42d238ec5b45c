// Reads MOO files, the format of SingleStepTests for all processors from the 8088 to the 80386 (MOO File Format Specification 1.1: chunks
// of a tag, a length and contents, little-endian; unknown chunks are skipped).
import { processorOf, type StepFile, type StepState, type StepTest } from "./step-test.ts";

/** In the order of the bits of a register mask; the 32-bit ones by their 16-bit names. */
const REGISTERS_16 = [
  ...["ax", "bx", "cx", "dx", "cs", "ss", "ds", "es", "sp", "bp", "si", "di", "ip", "flags"],
] as const;
const REGISTERS_32 = [
  ...["cr0", "cr3", "ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "cs", "ds", "es", "fs", "gs", "ss", "ip", "flags"],
  ...["dr6", "dr7"],
] as const;

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

type Registers = ReadonlyMap<string, number>;
const NOTHING: StepState = { registers: new Map(), ram: [] };

export function readMoo(bytes: Uint8Array): StepFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let processor = "";
  /** Of all tests. */
  let masks: Registers = new Map();
  const tests: StepTest[] = [];
  for (const chunk of chunks(view, 0, bytes.length)) {
    const name = chunk.at + PROCESSOR_OFFSET;
    if (chunk.tag === "MOO ") processor = new TextDecoder().decode(bytes.subarray(name, name + 4));
    else if (isMask(chunk)) masks = readRegisters(view, chunk);
    else if (chunk.tag === "TEST") tests.push(readTest(bytes, view, chunk, masks));
  }
  const known = processorOf(processor);
  if (known === undefined) throw new Error(`tests of a processor that is not known: "${processor}"`);
  return { processor: known, tests };
}

const isMask = ({ tag }: Chunk): boolean => tag === "RMSK" || tag === "RM32";

function readTest(bytes: Uint8Array, view: DataView, test: Chunk, fileMasks: Registers): StepTest {
  let name = "";
  let code = new Uint8Array(0);
  let initial = NOTHING;
  let final = NOTHING;
  let masks = fileMasks;
  let exception: StepTest["exception"];
  for (const chunk of chunks(view, test.at + 4, test.end)) {
    const { tag, at, end } = chunk;
    if (tag === "NAME") name = new TextDecoder().decode(bytes.subarray(at + 4, end));
    else if (tag === "BYTS") code = bytes.slice(at + 4, end);
    else if (tag === "INIT") initial = readState(view, chunk);
    else if (tag === "FINA") {
      final = readState(view, chunk);
      const own = [...chunks(view, at, end)].find(isMask);
      if (own) masks = readRegisters(view, own);
    } else if (tag === "EXCP") exception = { vector: view.getUint8(at) };
  }
  return { name, bytes: code, initial, final, masks, ...(exception ? { exception } : {}) };
}

function readState(view: DataView, { at: from, end: to }: Chunk): StepState {
  let registers: Registers = new Map();
  const ram: [number, number][] = [];
  for (const chunk of chunks(view, from, to)) {
    const { tag, at } = chunk;
    if (tag === "REGS" || tag === "RG32") registers = readRegisters(view, chunk);
    else if (tag === "RAM ") {
      const count = view.getUint32(at, true);
      for (let n = 0; n < count; n++) ram.push([view.getUint32(at + 4 + n * 5, true), view.getUint8(at + 8 + n * 5)]);
    }
  }
  return { registers, ram };
}

/** A mask of those that follow, and their values: words (REGS, RMSK), or doublewords (RG32, RM32). */
function readRegisters(view: DataView, { tag, at }: Chunk): Registers {
  const wide = tag === "RG32" || tag === "RM32";
  const bytes = wide ? 4 : 2;
  const read = (offset: number): number => (wide ? view.getUint32(offset, true) : view.getUint16(offset, true));
  const mask = read(at);
  const registers = new Map<string, number>();
  // Segment registers have 16 bits, whatever is above them in a doubleword.
  const valueOf = (name: string, value: number): number => (/^[c-gs]s$/.test(name) ? value & 0xffff : value);
  let next = at + bytes;
  (wide ? REGISTERS_32 : REGISTERS_16).forEach((register, n) => {
    if ((mask & (1 << n)) === 0) return;
    registers.set(register, valueOf(register, read(next)));
    next += bytes;
  });
  return registers;
}
