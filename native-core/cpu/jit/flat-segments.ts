// 32-bit code is compiled for flat segments: ES, CS, SS and DS start at 0, reach to 4 GiB and allow what such segments do. FS and GS may be
// anything. The dispatcher looks at that when it enters a region from outside (`flatSegments`), and whatever loads a segment leaves the
// region by way of the dispatcher. So bases and limits are constants (operation-constants.ts), and what is left of the checks of each
// access is whether it goes beyond 4 GiB: then the region leaves in front of the instruction, and the interpreter sees what comes of it.
import type { Fragment, Statement, Value } from "../../ir/nodes.ts";
import { type Code, i64, op, or64 } from "../../wasm/code.ts";
import { SEGMENT_READ_MASK, SEGMENT_WRITE_MASK } from "../../x86/semantics/address.ts";
import { SEGMENTS, STATE } from "../../x86/state-layout.ts";
import { readSegment } from "../interpreter/lower-registers.ts";
import { readSlot } from "../mmu/cells.ts";

const LIMIT = 0xffff_ffffn;

/** Ordinary writable data, as the masks of semantics/address.ts show it; CS is readable code, which looks the same for reads. */
const ORDINARY = 0x92n;
const WRITABLE_CODE = 0x9an;

const CS = SEGMENTS.indexOf("cs");
const FLAT: readonly number[] = (["es", "cs", "ss", "ds"] as const).map((name) => SEGMENTS.indexOf(name));

/** i32: whether the segments are as regions of 32-bit code expect them. */
export const flatSegments: Code = op(
  "i64.eqz",
  FLAT.flatMap((segment) => {
    const part = (name: "base" | "limit" | "attributes"): Code => readSegment({ index: 0, type: "i32" }, segment, name);
    const mask = segment === CS ? SEGMENT_READ_MASK : SEGMENT_WRITE_MASK;
    const type = op("i64.xor", op("i64.and", part("attributes"), i64(mask)), i64(ORDINARY));
    return [part("base"), op("i64.xor", part("limit"), i64(LIMIT)), type];
  }).reduce(or64, op("i64.xor", readSlot(STATE.stackMask), i64(LIMIT))),
);

/** What a part of a flat segment is; undefined if that is not known. */
export function flatPart(segment: number, part: string): bigint | undefined {
  if (!FLAT.includes(segment)) return undefined;
  return part === "base" ? 0n : part === "limit" ? LIMIT : undefined;
}

/** Attributes under one of the masks that accesses are checked with. */
export function flatType(segment: number, mask: bigint): bigint | undefined {
  if (!FLAT.includes(segment)) return undefined;
  if (mask === BigInt(SEGMENT_READ_MASK)) return ORDINARY;
  if (mask === BigInt(SEGMENT_WRITE_MASK)) return segment === CS ? WRITABLE_CODE : ORDINARY;
  return undefined;
}

export const FLAT_STACK_MASK = LIMIT;

/** Branches that do nothing but call the helper for what is not an ordinary access become empty, and are named. */
export function withoutSegmentHelpers(fragment: Fragment): { fragment: Fragment; checks: Set<Statement> } {
  const checks = new Set<Statement>();
  const visit = (statements: readonly Statement[]): Statement[] =>
    statements.map((statement) => {
      if (statement.kind === "loop") return { ...statement, body: visit(statement.body) };
      if (statement.kind !== "if") return statement;
      if (statement.otherwise.length > 0 || !statement.then.some(callsSegmentHelper))
        return { ...statement, then: visit(statement.then), otherwise: visit(statement.otherwise) };
      const check = { ...statement, then: [] };
      checks.add(check);
      return check;
    });
  return { fragment: { ...fragment, body: visit(fragment.body) }, checks };
}

function callsSegmentHelper(statement: Statement): boolean {
  return statement.kind === "define" && isSegmentHelper(statement.value);
}

const isSegmentHelper = ({ node }: Value): boolean => node.op === "callHelper" && node.helper === "checkSegmentAccess";
