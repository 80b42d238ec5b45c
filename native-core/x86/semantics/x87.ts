// x87 rows. All are cold: the work is done by helpers on exact integers (cpu/helpers/x87-*.ts); rows fetch memory operands and check whether
// the x87 is available.
import type { Size, StateSlot } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { CR0, VECTOR } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";

const STATUS_ES = 0x80;

const X87: RowTraits = { feature: "x87", cold: true };
/** SSE3 added them; they are x87 instructions in all else. */
const X87_SSE3: RowTraits = { ...X87, feature: "sse3" };
const X87_FLAGS: RowTraits = { ...X87, writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

/** #NM if CR0.EM or CR0.TS is set. A waiting instruction then looks for a pending unmasked exception. */
function x87Instruction(body: Semantics, waiting = true): Semantics {
  return (i) => {
    i.if(i.isNonZero(i.and(i.readState(STATE.cr0), i.i64(CR0.EM | CR0.TS))), () => i.raise(VECTOR.NM));
    if (waiting) raisePending(i);
    body(i);
  };
}

/** #MF, or what CR0.NE makes of it, where an unmasked exception is pending. */
export function raisePending(i: InstructionBuilder): void {
  i.if(i.isNonZero(i.and(i.readState(STATE.x87Status), i.i64(STATUS_ES))), () => i.callHelper("numericError"));
}

/** Number of the stack register that ModRM.rm names. */
function stackIndex(i: InstructionBuilder, n: number) {
  const operand = i.operand(n);
  if (operand.kind !== "x87" || operand.selector.kind !== "field")
    throw new Error(`operand ${n} is not a stack register`);
  return i.field(operand.selector.field);
}

const plain = (helper: string, waiting = true): Semantics =>
  x87Instruction((i) => {
    i.callHelper(helper);
  }, waiting);

/** The helper gets the value of a memory operand. */
const withValue = (helper: string, size: Size): Semantics =>
  x87Instruction((i) => {
    i.callHelper(helper, [i.load(size, i.address(0))]);
  });

/** The helper gets the address of a memory operand. */
const withAddress = (helper: string): Semantics =>
  x87Instruction((i) => {
    i.callHelper(helper, [i.address(0)]);
  });

/** A store: the helper gets the address. The memory must be writable even if an unmasked exception then keeps the store from happening. */
const storing = (helper: string, size: 2 | 4 | 8 | 10): Semantics =>
  x87Instruction((i) => {
    const address = i.address(0);
    i.load(size === 10 ? 8 : size, address, true);
    if (size === 10) i.load(2, i.add(address, i.i64(8)), true);
    i.callHelper(helper, [address]);
  });

/** The helper gets the address and the size of an environment's fields. */
const withEnvironment = (helper: string, waiting = true): Semantics =>
  x87Instruction((i) => {
    i.callHelper(helper, [i.address(0), i.i64(i.size === 2 ? 2 : 4)]);
  }, waiting);

/** The helper gets the number of stack register operand `n`. */
const withRegister = (helper: string, n: number): Semantics =>
  x87Instruction((i) => {
    i.callHelper(helper, [stackIndex(i, n)]);
  });

/** FCOMI and relatives: the helper yields flags. */
const compareToFlags = (helper: string): Semantics =>
  x87Instruction((i) => {
    i.writeArithmeticFlags(i.callHelper(helper, [stackIndex(i, 1)]));
  });

const moveIf = (code: 2 | 3 | 4 | 5 | 6 | 7 | 10 | 11): Semantics =>
  x87Instruction((i) => {
    i.callHelper("x87_move_if", [stackIndex(i, 1), i.widen(i.condition(code))]);
  });

/** `/n` of D8, DA, DC and DE, and of DC and DE between registers, where the reversed ones change places. */
const OPERATIONS = [
  ["FADD", "add", 0, 0],
  ["FMUL", "mul", 1, 1],
  ["FSUB", "sub", 4, 5],
  ["FSUBR", "subr", 5, 4],
  ["FDIV", "div", 6, 7],
  ["FDIVR", "divr", 7, 6],
] as const;

const arithmeticRows = OPERATIONS.flatMap(([mnemonic, name, digit, reversed]): InstructionRow[] => [
  row(mnemonic, `D8 /${digit}`, "Md", withValue(`x87_${name}_f32`, 4), X87),
  row(mnemonic, `DC /${digit}`, "Mq", withValue(`x87_${name}_f64`, 8), X87),
  row(mnemonic.replace("F", "FI"), `DA /${digit}`, "Md", withValue(`x87_${name}_i32`, 4), X87),
  row(mnemonic.replace("F", "FI"), `DE /${digit}`, "Mw", withValue(`x87_${name}_i16`, 2), X87),
  row(mnemonic, `D8 /${digit}`, "ST,STi", withRegister(`x87_${name}_st0`, 1), X87),
  row(mnemonic, `DC /${reversed}`, "STi,ST", withRegister(`x87_${name}_sti`, 0), X87),
  row(`${mnemonic}P`, `DE /${reversed}`, "STi,ST", withRegister(`x87_${name}_pop`, 0), X87),
]);

const compareRows = (
  [
    ["FCOM", 2, ""],
    ["FCOMP", 3, "_pop"],
  ] as const
).flatMap(([mnemonic, digit, suffix]) => [
  row(mnemonic, `D8 /${digit}`, "Md", withValue(`x87_com${suffix}_f32`, 4), X87),
  row(mnemonic, `DC /${digit}`, "Mq", withValue(`x87_com${suffix}_f64`, 8), X87),
  row(mnemonic.replace("F", "FI"), `DA /${digit}`, "Md", withValue(`x87_com${suffix}_i32`, 4), X87),
  row(mnemonic.replace("F", "FI"), `DE /${digit}`, "Mw", withValue(`x87_com${suffix}_i16`, 2), X87),
  row(mnemonic, `D8 /${digit}`, "ST,STi", withRegister(`x87_com${suffix}`, 1), X87),
]);

const loadRows: InstructionRow[] = [
  row("FLD", "D9 /0", "Md", withValue("x87_load_f32", 4), X87),
  row("FLD", "DD /0", "Mq", withValue("x87_load_f64", 8), X87),
  row("FLD", "DB /5", "Mt", withAddress("x87_load_f80"), X87),
  row("FLD", "D9 /0", "STi", withRegister("x87_load_register", 0), X87),
  row("FILD", "DF /0", "Mw", withValue("x87_load_i16", 2), X87),
  row("FILD", "DB /0", "Md", withValue("x87_load_i32", 4), X87),
  row("FILD", "DF /5", "Mq", withValue("x87_load_i64", 8), X87),
  row("FBLD", "DF /4", "Mt", withAddress("x87_load_decimal"), X87),
  row("FLD1", "D9 E8", "", plain("x87_load_one"), X87),
  row("FLDL2T", "D9 E9", "", plain("x87_load_l2t"), X87),
  row("FLDL2E", "D9 EA", "", plain("x87_load_l2e"), X87),
  row("FLDPI", "D9 EB", "", plain("x87_load_pi"), X87),
  row("FLDLG2", "D9 EC", "", plain("x87_load_lg2"), X87),
  row("FLDLN2", "D9 ED", "", plain("x87_load_ln2"), X87),
  row("FLDZ", "D9 EE", "", plain("x87_load_zero"), X87),
];

const storeRows: InstructionRow[] = [
  row("FST", "D9 /2", "Md", storing("x87_store_f32", 4), X87),
  row("FSTP", "D9 /3", "Md", storing("x87_store_pop_f32", 4), X87),
  row("FST", "DD /2", "Mq", storing("x87_store_f64", 8), X87),
  row("FSTP", "DD /3", "Mq", storing("x87_store_pop_f64", 8), X87),
  row("FSTP", "DB /7", "Mt", storing("x87_store_pop_f80", 10), X87),
  row("FIST", "DF /2", "Mw", storing("x87_store_i16", 2), X87),
  row("FISTP", "DF /3", "Mw", storing("x87_store_pop_i16", 2), X87),
  row("FIST", "DB /2", "Md", storing("x87_store_i32", 4), X87),
  row("FISTP", "DB /3", "Md", storing("x87_store_pop_i32", 4), X87),
  row("FISTP", "DF /7", "Mq", storing("x87_store_pop_i64", 8), X87),
  row("FISTTP", "DF /1", "Mw", storing("x87_truncate_pop_i16", 2), X87_SSE3),
  row("FISTTP", "DB /1", "Md", storing("x87_truncate_pop_i32", 4), X87_SSE3),
  row("FISTTP", "DD /1", "Mq", storing("x87_truncate_pop_i64", 8), X87_SSE3),
  row("FBSTP", "DF /6", "Mt", storing("x87_store_pop_decimal", 10), X87),
  row("FST", "DD /2", "STi", withRegister("x87_store_register", 0), X87),
  row("FSTP", "DD /3", "STi", withRegister("x87_store_pop_register", 0), X87),
  row("FXCH", "D9 /1", "STi", withRegister("x87_exchange", 0), X87),
  row("FFREE", "DD /0", "STi", withRegister("x87_free", 0), X87),
  row("FFREEP", "DF /0", "STi", withRegister("x87_free_pop", 0), X87),
  row("FINCSTP", "D9 F7", "", plain("x87_increment_top"), X87),
  row("FDECSTP", "D9 F6", "", plain("x87_decrement_top"), X87),
];

/** Second encodings that no manual of today lists; processors execute them, and old programs use some. */
const aliasRows: InstructionRow[] = [
  row("FSTP", "D9 /3", "STi", withRegister("x87_store_pop_unchecked", 0), X87),
  row("FCOM", "DC /2", "ST,STi", withRegister("x87_com", 1), X87),
  row("FCOMP", "DC /3", "ST,STi", withRegister("x87_com_pop", 1), X87),
  row("FXCH", "DD /1", "STi", withRegister("x87_exchange", 0), X87),
  row("FCOMP", "DE /2", "ST,STi", withRegister("x87_com_pop", 1), X87),
  row("FXCH", "DF /1", "STi", withRegister("x87_exchange", 0), X87),
  row("FSTP", "DF /2", "STi", withRegister("x87_store_pop_register", 0), X87),
  row("FSTP", "DF /3", "STi", withRegister("x87_store_pop_register", 0), X87),
];

const conditionalRows: InstructionRow[] = [
  row("FCMOVB", "DA /0", "ST,STi", moveIf(2), { ...X87, reads: ["CF"] }),
  row("FCMOVE", "DA /1", "ST,STi", moveIf(4), { ...X87, reads: ["ZF"] }),
  row("FCMOVBE", "DA /2", "ST,STi", moveIf(6), { ...X87, reads: ["CF", "ZF"] }),
  row("FCMOVU", "DA /3", "ST,STi", moveIf(10), { ...X87, reads: ["PF"] }),
  row("FCMOVNB", "DB /0", "ST,STi", moveIf(3), { ...X87, reads: ["CF"] }),
  row("FCMOVNE", "DB /1", "ST,STi", moveIf(5), { ...X87, reads: ["ZF"] }),
  row("FCMOVNBE", "DB /2", "ST,STi", moveIf(7), { ...X87, reads: ["CF", "ZF"] }),
  row("FCMOVNU", "DB /3", "ST,STi", moveIf(11), { ...X87, reads: ["PF"] }),
];

const otherRows: InstructionRow[] = [
  row("FUCOM", "DD /4", "STi", withRegister("x87_ucom", 0), X87),
  row("FUCOMP", "DD /5", "STi", withRegister("x87_ucom_pop", 0), X87),
  row("FUCOMI", "DB /5", "ST,STi", compareToFlags("x87_ucomi"), X87_FLAGS),
  row("FCOMI", "DB /6", "ST,STi", compareToFlags("x87_comi"), X87_FLAGS),
  row("FUCOMIP", "DF /5", "ST,STi", compareToFlags("x87_ucomi_pop"), X87_FLAGS),
  row("FCOMIP", "DF /6", "ST,STi", compareToFlags("x87_comi_pop"), X87_FLAGS),
  row("FCOMPP", "DE D9", "", x87Instruction(comparePop2("x87_com_pop2")), X87),
  row("FUCOMPP", "DA E9", "", x87Instruction(comparePop2("x87_ucom_pop2")), X87),
  row("FTST", "D9 E4", "", plain("x87_test"), X87),
  row("FXAM", "D9 E5", "", plain("x87_examine"), X87),
  row("FCHS", "D9 E0", "", plain("x87_chs"), X87),
  row("FABS", "D9 E1", "", plain("x87_abs"), X87),
  row("FSQRT", "D9 FA", "", plain("x87_sqrt"), X87),
  row("FRNDINT", "D9 FC", "", plain("x87_round"), X87),
  row("FSCALE", "D9 FD", "", plain("x87_scale"), X87),
  row("F2XM1", "D9 F0", "", plain("x87_two_to_x_minus_one"), X87),
  row("FYL2X", "D9 F1", "", plain("x87_y_log2_x"), X87),
  row("FYL2XP1", "D9 F9", "", plain("x87_y_log2_x_plus_one"), X87),
  row("FPATAN", "D9 F3", "", plain("x87_arc_tangent"), X87),
  row("FPTAN", "D9 F2", "", plain("x87_tangent"), X87),
  row("FSIN", "D9 FE", "", plain("x87_sine"), X87),
  row("FCOS", "D9 FF", "", plain("x87_cosine"), X87),
  row("FSINCOS", "D9 FB", "", plain("x87_sine_cosine"), X87),
  row("FXTRACT", "D9 F4", "", plain("x87_extract"), X87),
  row("FPREM", "D9 F8", "", plain("x87_remainder"), X87),
  row("FPREM1", "D9 F5", "", plain("x87_remainder_nearest"), X87),
  row(
    "FNOP",
    "D9 D0",
    "",
    x87Instruction(() => {}),
    X87,
  ),
];

function comparePop2(helper: string): Semantics {
  return (i) => {
    i.callHelper(helper, [i.i64(1)]);
  };
}

/** FWAIT: #NM only if CR0.MP and CR0.TS are both set. */
const wait: Semantics = (i) => {
  const both = i.i64(CR0.MP | CR0.TS);
  i.if(i.eq(i.and(i.readState(STATE.cr0), both), both), () => i.raise(VECTOR.NM));
  raisePending(i);
};

const storeWord = (slot: StateSlot): Semantics => x87Instruction((i) => i.write(0, i.readState(slot)), false);

const controlRows: InstructionRow[] = [
  row("FWAIT", "9B", "", wait, X87),
  row("FNINIT", "DB E3", "", plain("x87_initialize", false), X87),
  row("FNCLEX", "DB E2", "", plain("x87_clear_exceptions", false), X87),
  row("FNSTCW", "D9 /7", "Mw", storeWord(STATE.x87Control), X87),
  row("FLDCW", "D9 /5", "Mw", withValue("x87_load_control", 2), X87),
  row("FNSTSW", "DD /7", "Mw", storeWord(STATE.x87Status), X87),
  row("FNSTSW", "DF E0", "AX", storeWord(STATE.x87Status), X87),
  row("FNSTENV", "D9 /6", "M", withEnvironment("x87_store_environment", false), { ...X87, sized: true }),
  row("FLDENV", "D9 /4", "M", withEnvironment("x87_load_environment"), { ...X87, sized: true }),
  row("FNSAVE", "DD /6", "M", withEnvironment("x87_save", false), { ...X87, sized: true }),
  row("FRSTOR", "DD /4", "M", withEnvironment("x87_restore"), { ...X87, sized: true }),
];

export const X87_ROWS: readonly InstructionRow[] = [
  ...controlRows,
  ...loadRows,
  ...storeRows,
  ...aliasRows,
  ...conditionalRows,
  ...arithmeticRows,
  ...compareRows,
  ...otherRows,
];
