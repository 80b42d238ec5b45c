// A small encoder for ACPI Machine Language (ACPI 6.4, chapter 20): just what the board's DSDT says. Every function returns bytes.
import { assert } from "../../common/assert.ts";

export type Aml = Uint8Array<ArrayBuffer>;

const OP = {
  ZERO: 0x00,
  ONE: 0x01,
  NAME: 0x08,
  BYTE: 0x0a,
  WORD: 0x0b,
  DWORD: 0x0c,
  SCOPE: 0x10,
  BUFFER: 0x11,
  AND: 0x7b,
  LOCAL0: 0x60,
  LOCAL1: 0x61,
  REGION: 0x80,
  FIELD: 0x81,
  PACKAGE: 0x12,
  METHOD: 0x14,
  EXTENDED: 0x5b,
  DEVICE: 0x82,
  ARG0: 0x68,
  STORE: 0x70,
  STRING: 0x0d,
  NOTIFY: 0x86,
  IF: 0xa0,
  ELSE: 0xa1,
  RETURN: 0xa4,
  ROOT: 0x5c,
  DUAL_NAME: 0x2e,
  MULTI_NAME: 0x2f,
} as const;

export function concat(...parts: readonly Uint8Array[]): Aml {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

const bytes = (...values: number[]): Aml => Uint8Array.from(values);
const ascii = (text: string): Aml => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** PkgLength (20.2.4): the length counts its own bytes. */
function withLength(content: Uint8Array): Aml {
  const length = content.length;
  if (length + 1 <= 0x3f) return concat(bytes(length + 1), content);
  const following = length + 2 <= 0xfff ? 1 : length + 3 <= 0xfffff ? 2 : 3;
  const total = length + 1 + following;
  const lead = bytes((following << 6) | (total & 15));
  return concat(
    lead,
    bytes(...Array.from({ length: following }, (_, index) => (total >> (4 + 8 * index)) & 0xff)),
    content,
  );
}

/** A name path: segments of up to four characters separated by dots, `\` in front for the root. */
export function path(text: string): Aml {
  const rooted = text.startsWith("\\");
  const segments = (rooted ? text.slice(1) : text).split(".").filter((segment) => segment !== "");
  for (const segment of segments) assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment), `AML name ${segment}`);
  const names = segments.map((segment) => ascii(segment.padEnd(4, "_")));
  const prefix =
    names.length === 0
      ? bytes(0)
      : names.length === 1
        ? bytes()
        : names.length === 2
          ? bytes(OP.DUAL_NAME)
          : bytes(OP.MULTI_NAME, names.length);
  return concat(rooted ? bytes(OP.ROOT) : bytes(), prefix, ...names);
}

export function integer(value: number): Aml {
  if (value === 0) return bytes(OP.ZERO);
  if (value === 1) return bytes(OP.ONE);
  if (value <= 0xff) return bytes(OP.BYTE, value);
  if (value <= 0xffff) return bytes(OP.WORD, value & 0xff, value >>> 8);
  return concat(bytes(OP.DWORD), u32(value));
}

export const name = (at: string, value: Aml): Aml => concat(bytes(OP.NAME), path(at), value);
export const scope = (at: string, ...content: Aml[]): Aml =>
  concat(bytes(OP.SCOPE), withLength(concat(path(at), ...content)));
export const device = (at: string, ...content: Aml[]): Aml =>
  concat(bytes(OP.EXTENDED, OP.DEVICE), withLength(concat(path(at), ...content)));
/** Methods here are serialized never: they have no side effects but one store. */
export const method = (at: string, argumentCount: number, ...content: Aml[]): Aml =>
  concat(bytes(OP.METHOD), withLength(concat(path(at), bytes(argumentCount), ...content)));
export const pack = (...elements: Aml[]): Aml =>
  concat(bytes(OP.PACKAGE), withLength(concat(bytes(elements.length), ...elements)));
const buffer = (content: Uint8Array): Aml =>
  concat(bytes(OP.BUFFER), withLength(concat(integer(content.length), content)));

/** Up to printable ASCII (20.2.3). */
export const string = (text: string): Aml => concat(bytes(OP.STRING), ascii(text), bytes(0));
export const notify = (object: Aml, value: number): Aml => concat(bytes(OP.NOTIFY), object, integer(value));

export const ARG0 = bytes(OP.ARG0);
export const LOCAL0 = bytes(OP.LOCAL0);
export const LOCAL1 = bytes(OP.LOCAL1);
/** The result goes nowhere but into the expression. */
export const and = (a: Aml, b: Aml): Aml => concat(bytes(OP.AND), a, b, bytes(OP.ZERO));
export const given = (condition: Aml, content: Aml): Aml =>
  concat(bytes(OP.IF), withLength(concat(condition, content)));

const SYSTEM_IO = 1;
/** Accessed as double words, without lock, other bits written as zeroes. */
const FIELD_FLAGS = 0x43;

/** Ports with a 32-bit field for each name. */
export function portFields(at: string, port: number, names: readonly string[]): Aml {
  const fields = names.map((field) => concat(path(field), bytes(32)));
  return concat(
    bytes(OP.EXTENDED, OP.REGION),
    concat(path(at), bytes(SYSTEM_IO), integer(port), integer(4 * names.length)),
    bytes(OP.EXTENDED, OP.FIELD),
    withLength(concat(path(at), bytes(FIELD_FLAGS), ...fields)),
  );
}
export const store = (source: Aml, target: Aml): Aml => concat(bytes(OP.STORE), source, target);
export const giveBack = (value: Aml): Aml => concat(bytes(OP.RETURN), value);
export const when = (condition: Aml, yes: Aml, no: Aml): Aml =>
  concat(bytes(OP.IF), withLength(concat(condition, yes)), bytes(OP.ELSE), withLength(no));

/** Compressed EISA identifier (19.3.4): `PNP0A03`. */
export function eisaId(id: string): Aml {
  const [a, b, c] = [0, 1, 2].map((index) => id.charCodeAt(index) - 0x40) as [number, number, number];
  const vendor = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(id.slice(3), 16);
  return bytes(OP.DWORD, vendor >>> 8, vendor & 0xff, product >>> 8, product & 0xff);
}

// Resource descriptors (6.4) inside a resource template.

export const resources = (...descriptors: Uint8Array[]): Aml => buffer(concat(...descriptors, bytes(0x79, 0)));

/** Fixed ports, decoded on 16 bits. */
export const ioPorts = (base: number, length: number): Aml =>
  bytes(0x47, 1, base & 0xff, base >>> 8, base & 0xff, base >>> 8, 1, length);

/** Memory that is taken, read-write. */
export const fixedMemory = ({ base, length }: { base: number; length: number }): Aml =>
  concat(bytes(0x86, 9, 0, 1), u32(base), u32(length));

/** ISA interrupt: edge-triggered, active high, exclusive. */
export const irq = (line: number): Aml => concat(bytes(0x22), u16(1 << line));

interface AddressSpace {
  min: number;
  max: number;
}

const PRODUCER_FIXED = 0x0c;

export const busNumbers = ({ min, max }: AddressSpace): Aml => word(2, 0, min, max);
export const ioWindow = ({ min, max }: AddressSpace): Aml => word(1, 3, min, max);
/** Memory a bridge passes on, not cacheable, read-write. */
export const memoryWindow = ({ min, max }: AddressSpace): Aml =>
  concat(bytes(0x87, 0x17, 0, 0, PRODUCER_FIXED, 0x01), u32(0), u32(min), u32(max), u32(0), u32(max - min + 1));

function word(type: number, flags: number, min: number, max: number): Aml {
  return concat(
    bytes(0x88, 0x0d, 0, type, PRODUCER_FIXED, flags),
    u16(0),
    u16(min),
    u16(max),
    u16(0),
    u16(max - min + 1),
  );
}

function u16(value: number): Aml {
  return bytes(value & 0xff, (value >>> 8) & 0xff);
}

function u32(value: number): Aml {
  return bytes(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}
