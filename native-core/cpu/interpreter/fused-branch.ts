// A compare or test and the conditional branch behind it as one handler: saves a dispatch, and the condition comes straight from the
// operands instead of from the lazy flags (which are set all the same, for whoever looks later).
import type { ConditionCode, FlagOperation, Fragment, Size, Statement, Value, ValueNode } from "../../ir/nodes.ts";
import { PURE_OPS, type PureOpName } from "../../ir/ops.ts";
import type { Form } from "../../x86/forms.ts";

/** Condition codes, in pairs: b, e, be, s, l, le and their opposites. */
const CARRY: readonly ConditionCode[] = [2, 3, 6, 7];
const SIGN: readonly ConditionCode[] = [8, 9];
const ORDER: readonly ConditionCode[] = [12, 13, 14, 15];
const NOT_ABOVE_ZERO: readonly ConditionCode[] = [14, 15];
const EQUAL: readonly ConditionCode[] = [4, 5];

/** Conditions that are worth a handler behind each instruction, by operand size: between registers and with memory. */
function worthwhile(mnemonic: string, size: number, memory: boolean): readonly ConditionCode[] {
  switch (mnemonic) {
    case "CMP":
      if (memory) return size === 1 ? EQUAL : [...EQUAL, ...CARRY];
      return size === 1 ? [...EQUAL, ...CARRY] : [...EQUAL, ...CARRY, ...ORDER];
    case "TEST":
      if (memory) return EQUAL;
      return size === 1 ? [...EQUAL, ...SIGN] : [...EQUAL, ...SIGN, ...NOT_ABOVE_ZERO];
    case "ADD":
    case "AND":
    case "DEC":
      return memory || size === 1 ? [] : EQUAL;
    default:
      return [];
  }
}

export function fusibleConditions(form: Form): readonly ConditionCode[] {
  const { size, operands } = form.info;
  if (size === 2) return [];
  return worthwhile(
    form.row.mnemonic,
    size,
    operands.some(({ kind }) => kind === "memory"),
  );
}

/** The condition of a Jcc form, from its mnemonic's opcode; undefined for other instructions. */
export function branchCondition(form: Form): ConditionCode | undefined {
  const { mnemonic, opcode } = form.row;
  if (form.info.mode !== "64" || form.info.size === 2 || !/^J[A-Z]+$/.test(mnemonic)) return undefined;
  const match = /^(?:7|0F 8)([0-9A-F])$/.exec(opcode);
  return match ? (Number.parseInt(match[1] as string, 16) as ConditionCode) : undefined;
}

/** The fragment followed by the branch: exits `relative` and `next` then belong to the next operation. */
export function fuseBranch(fragment: Fragment, code: ConditionCode): Fragment | undefined {
  const last = fragment.body.findLast((statement) => statement.kind === "setFlags");
  if (last?.kind !== "setFlags") return undefined;
  const builder = new Appender(fragment.valueCount);
  const positive = conditionOf(builder, (code & ~1) as ConditionCode, last.operation, last.size, last);
  if (!positive) return undefined;
  const branch: Statement = { kind: "exit", exit: { to: "relative" } };
  const onward: Statement = { kind: "exit", exit: { to: "next" } };
  const [then, otherwise] = code & 1 ? [onward, branch] : [branch, onward];
  return {
    body: [
      ...fragment.body,
      ...builder.statements,
      { kind: "if", condition: positive, then: [then], otherwise: [otherwise] },
    ],
    valueCount: builder.count,
    variableCount: fragment.variableCount,
  };
}

class Appender {
  readonly statements: Statement[] = [];
  count: number;

  constructor(count: number) {
    this.count = count;
  }

  pure(name: PureOpName, ...args: readonly Value[]): Value {
    const node: ValueNode = { op: "pure", name, args };
    const value: Value = { id: this.count++, type: PURE_OPS[name].result, node };
    this.statements.push({ kind: "define", value });
    return value;
  }

  zero(): Value {
    return { id: this.count++, type: "i64", node: { op: "const", value: 0n } };
  }
}

function conditionOf(
  builder: Appender,
  pair: ConditionCode,
  operation: FlagOperation,
  size: Size,
  { a, b, result }: { readonly a: Value; readonly b: Value; readonly result: Value },
): Value | undefined {
  const signed = (value: Value): Value =>
    size === 8
      ? value
      : builder.pure(size === 1 ? "i64.extend8_s" : size === 2 ? "i64.extend16_s" : "i64.extend32_s", value);
  if (pair === 4) return builder.pure("i64.eqz", result);
  if (pair === 8) return builder.pure("i64.lt_s", signed(result), builder.zero());
  if (operation === "sub") {
    if (pair === 2) return builder.pure("i64.lt_u", a, b);
    if (pair === 6) return builder.pure("i64.le_u", a, b);
    if (pair === 12) return builder.pure("i64.lt_s", signed(a), signed(b));
    if (pair === 14) return builder.pure("i64.le_s", signed(a), signed(b));
  }
  // Logic clears OF: less means negative.
  if (operation === "logic") {
    if (pair === 12) return builder.pure("i64.lt_s", signed(result), builder.zero());
    if (pair === 14) return builder.pure("i64.le_s", signed(result), builder.zero());
  }
  return undefined;
}
