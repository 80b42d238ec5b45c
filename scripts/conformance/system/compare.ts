// Compares two outcomes of a case of the system-mode fuzzer, and knows where QEMU's TCG does otherwise than the manual says.
import { AT, type Dump, KIND, PAGE, REGION, type SystemCase } from "./layout.ts";
import type { Outcome } from "./runners.ts";
import { SELECTOR } from "./tables.ts";

export interface Comparison {
  readonly differences: readonly string[];
  /** A known deviation of TCG that explains all of them. */
  readonly deviation?: string;
}

/** TCG sets the accessed flag of page-directory-pointer entries with PAE paging, where there is none (SDM 3A table 4-8). */
const PDPT_PAGE = `page ${AT.pdpt.toString(16)}`;

/** Offset of EFLAGS in a task of 32 bits (SDM 3A figure 8-2). */
const TSS_FLAGS = 0x24;

/** In long mode TCG counts gates by twice their number in error codes; they have the vector in bits 15..3 (SDM 3A 6.13). */
function isDoubledVector(tcg: bigint, core: bigint): boolean {
  const inTable = 2n;
  return (core & inTable) !== 0n && tcg === (((core >> 3n) << 4n) | (core & 7n));
}

/**
 * An instruction that reads and writes its operand asks for both at once; TCG reads first, and says so when that faults. And it does not
 * call a page present whose entry has reserved bits set (SDM 3A 4.7).
 */
function isPageFaultOfTcg({ fields }: Dump, tcg: bigint, core: bigint): boolean {
  const [present, write, reserved] = [1n, 2n, 8n];
  const more = write | (core & reserved ? present : 0n);
  return fields.get("vector") === 14n && (core & ~more) === (tcg & ~more) && (core & tcg) === tcg;
}

const hex = (value: bigint | undefined): string => (value ?? 0n).toString(16);

/** Segments that accesses of cases fit into. */
const ROOMY: readonly number[] = [SELECTOR.data, SELECTOR.userData, SELECTOR.data16, SELECTOR.userData16];

/** TCG checks neither limits nor types of segments when they are used, nor that the selector was not null. */
function isSegmentCheck(one: SystemCase, dump: Dump): boolean {
  const names = ["ds", "es", "fs", "gs", "ss"];
  return isProtection(one, dump) && names.some((name) => !ROOMY.includes(Number(dump.fields.get(name)) & ~3));
}

function isProtection(one: SystemCase, { fields }: Dump): boolean {
  const isLimit = fields.get("vector") === 13n || fields.get("vector") === 12n;
  return isLimit && one.kind !== KIND.real && fields.get("error code") === 0n;
}

/** Nor that a frame fits on the stack: here that is a double fault, which a task handles. */
function isStackCheck(one: SystemCase, expected: Dump, actual: Dump): boolean {
  const isDoubleFault = actual.fields.get("vector") === 8n && expected.fields.get("vector") !== 8n;
  const flat: readonly number[] = [SELECTOR.data, SELECTOR.userData];
  return one.kind === KIND.legacy && isDoubleFault && !flat.includes(Number(expected.fields.get("ss")) & ~3);
}

/** Bits 63:47 are not all the same. */
const isNonCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) !== address;

/** TCG marks the first page of a write dirty before it looks at the second, which faults: that shows in the tables of the aliases alone. */
function isDirtyFlag(differences: readonly string[]): boolean {
  const tables = [AT.aliasTable, AT.aliasTable32].map((address) => hex(BigInt(address)));
  const isInTable = (text: string): boolean =>
    tables.some((table) => text.startsWith(`page ${table}`) || text.startsWith(`[${table.slice(0, 2)}`));
  return differences.every(isInTable);
}

/**
 * TCG goes to another task without having worked out the flags of the last instruction: what it saves can't be flags (bit 3 may be set), and
 * it begins the new task with the old one's.
 */
function isStaleFlags(one: SystemCase, differences: readonly string[]): boolean {
  const jumps = one.listing.some((line) => line.startsWith("far jump or call"));
  const savedAt = `[${(AT.tss + TSS_FLAGS).toString(16)}]`;
  const places = ["flags:", `page ${hex(BigInt(AT.tss))}:`, `page ${hex(BigInt(AT.stack & -PAGE))}:`, savedAt, "[45"];
  return jumps && differences.every((text) => places.some((place) => text.startsWith(place)));
}

const CHECKS_NO_SEGMENTS = "TCG does not check limits and types of segments when they are used";

/** What TCG is known to do otherwise, if it explains the difference. */
function deviationOf(
  one: SystemCase,
  expected: Dump,
  actual: Dump,
  differences: readonly string[],
): string | undefined {
  if (isSegmentCheck(one, actual) || isStackCheck(one, expected, actual)) return CHECKS_NO_SEGMENTS;
  const vectors = [expected, actual].map(({ fields }) => Number(fields.get("vector")));
  const inNewTask = ((actual.fields.get("tr") ?? 0n) & ~3n) === BigInt(SELECTOR.otherTss);
  if (inNewTask && vectors.every((vector) => vector === 10 || vector === 11))
    return "TCG mixes the tasks' instruction pointers when a segment of the new task faults";
  if (inNewTask && vectors[0] === vectors[1] && isStaleFlags(one, differences))
    return "TCG goes to another task before it has worked out the flags";
  if (vectors.every((vector) => vector === 14) && isDirtyFlag(differences))
    return "TCG marks the first page of a write dirty although the second faults";
  if (vectors[0] === 1 && one.listing.some((line) => line === "flags: fb"))
    return "TCG holds off a single step behind STI";
  if (vectors[1] === 13 && isNonCanonical(expected.fields.get("ip") ?? 0n))
    return "TCG follows a gate to an address that is not canonical, and faults there";
  const isUserWrite = vectors[1] === 14 && (actual.fields.get("error code") ?? 0n) === 7n;
  if (isUserWrite && one.kind === KIND.long && one.listing.some((line) => line.startsWith("far jump or call")))
    return "TCG pushes at CPL 3 through a call gate with the supervisor's rights";
  if (vectors[0] === 7 && vectors[1] === 6) return "TCG looks at CR0.TS before CR0.EM and CR4.OSFXSR";
  return undefined;
}

export function compareSystem(one: SystemCase, expected: Outcome, actual: Outcome): Comparison {
  if (typeof expected === "string" || typeof actual === "string") {
    const name = (outcome: Outcome): string =>
      typeof outcome === "string" ? outcome : `vector ${outcome.fields.get("vector")}`;
    // A repeated store that is not stopped at its segment's end goes over the tables.
    const repeats = one.listing.some((line) => /^string: .*f[23]/.test(line));
    if (expected === "triple fault" && repeats && typeof actual !== "string" && isProtection(one, actual))
      return { differences: [], deviation: CHECKS_NO_SEGMENTS };
    return name(expected) === name(actual)
      ? { differences: [] }
      : { differences: [`end: expected ${name(expected)}, got ${name(actual)}`] };
  }
  const differences: string[] = [];
  const isPae = one.mode.includes("PAE");
  for (const [name, want] of expected.fields) {
    const got = actual.fields.get(name) ?? 0n;
    if (want === got || (name === PDPT_PAGE && isPae)) continue;
    if (name === "error code" && one.kind === KIND.long && isDoubledVector(want, got)) continue;
    if (name === "error code" && isPageFaultOfTcg(expected, want, got)) continue;
    differences.push(`${name}: expected ${hex(want)}, got ${hex(got)}`);
  }
  if (expected.region && actual.region) {
    for (let at = 0; at < REGION.bytes && differences.length < 40; at++) {
      if (isPae && REGION.base + at >= AT.pdpt && REGION.base + at < AT.pdpt + PAGE) continue;
      const [want, got] = [expected.region[at], actual.region[at]];
      if (want !== got)
        differences.push(
          `[${(REGION.base + at).toString(16)}]: expected ${hex(BigInt(want ?? 0))}, got ${hex(BigInt(got ?? 0))}`,
        );
    }
  }
  const deviation = differences.length === 0 ? undefined : deviationOf(one, expected, actual, differences);
  return deviation === undefined ? { differences } : { differences: [], deviation };
}
