// Integer addition, subtraction and logic: ADD OR ADC SBB AND SUB XOR CMP TEST INC DEC NEG NOT XADD CMPXCHG.
import type { FlagOperation, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { GPR } from "./registers.ts";

const ALL: readonly ArithmeticFlag[] = ["CF", "PF", "AF", "ZF", "SF", "OF"];

type Compute = (i: InstructionBuilder, a: Value, b: Value) => Value;

/** destination = a op b, with flags. */
function binary(flags: FlagOperation, compute: Compute): Semantics {
  return (i) => {
    const a = i.readForWrite(0);
    const b = i.read(1);
    const result = i.mask(compute(i, a, b));
    i.write(0, result);
    i.setFlags(flags, i.size, a, b, result);
  };
}

/** Flags of a op b only. */
function compare(flags: FlagOperation, compute: Compute): Semantics {
  return (i) => {
    const a = i.read(0);
    const b = i.read(1);
    i.setFlags(flags, i.size, a, b, i.mask(compute(i, a, b)));
  };
}

const add: Compute = (i, a, b) => i.add(a, b);
const sub: Compute = (i, a, b) => i.sub(a, b);
const and: Compute = (i, a, b) => i.and(a, b);
const carry = (i: InstructionBuilder): Value => i.widen(i.readFlag("CF"));

const CMP = compare("sub", sub);
const TEST = compare("logic", and);

const LOGIC: RowTraits = { lockable: true, writes: ALL, undefines: ["AF"] };
const SUM: RowTraits = { lockable: true, writes: ALL };
const SUM_WITH_CARRY: RowTraits = { ...SUM, reads: ["CF"] };

/** The eight operations of opcodes 00..3F and 80..83, in encoding order. */
const OPERATIONS: readonly (readonly [string, Semantics, RowTraits])[] = [
  ["ADD", binary("add", add), SUM],
  ["OR", binary("logic", (i, a, b) => i.or(a, b)), LOGIC],
  ["ADC", binary("adc", (i, a, b) => i.add(i.add(a, b), carry(i))), SUM_WITH_CARRY],
  ["SBB", binary("sbb", (i, a, b) => i.sub(i.sub(a, b), carry(i))), SUM_WITH_CARRY],
  ["AND", binary("logic", and), LOGIC],
  ["SUB", binary("sub", sub), SUM],
  ["XOR", binary("logic", (i, a, b) => i.xor(a, b)), LOGIC],
  ["CMP", CMP, { writes: ALL }],
];

function operationRows(): InstructionRow[] {
  return OPERATIONS.flatMap(([mnemonic, semantics, traits], n) => {
    const opcode = (low: number) => (n * 8 + low).toString(16).toUpperCase().padStart(2, "0");
    return [
      row(mnemonic, opcode(0), "Eb,Gb", semantics, traits),
      row(mnemonic, opcode(1), "Ev,Gv", semantics, traits),
      row(mnemonic, opcode(2), "Gb,Eb", semantics, { ...traits, lockable: false }),
      row(mnemonic, opcode(3), "Gv,Ev", semantics, { ...traits, lockable: false }),
      row(mnemonic, opcode(4), "AL,Ib", semantics, { ...traits, lockable: false }),
      row(mnemonic, opcode(5), "rAX,Iz", semantics, { ...traits, lockable: false }),
      row(mnemonic, `80 /${n}`, "Eb,Ib", semantics, traits),
      row(mnemonic, `81 /${n}`, "Ev,Iz", semantics, traits),
      row(mnemonic, `82 /${n}`, "Eb,Ib", semantics, { ...traits, mode: "legacy" }),
      row(mnemonic, `83 /${n}`, "Ev,Ibs", semantics, traits),
    ];
  });
}

const increment: Semantics = (i) => {
  const a = i.readForWrite(0);
  const one = i.i64(1);
  const result = i.mask(i.add(a, one));
  i.write(0, result);
  i.setFlags("inc", i.size, a, one, result);
};

const decrement: Semantics = (i) => {
  const a = i.readForWrite(0);
  const one = i.i64(1);
  const result = i.mask(i.sub(a, one));
  i.write(0, result);
  i.setFlags("dec", i.size, a, one, result);
};

const negate: Semantics = (i) => {
  const a = i.readForWrite(0);
  const zero = i.i64(0);
  const result = i.mask(i.sub(zero, a));
  i.write(0, result);
  i.setFlags("sub", i.size, zero, a, result);
};

const complement: Semantics = (i) => {
  const a = i.readForWrite(0);
  i.write(0, i.not(a));
};

const exchangeAndAdd: Semantics = (i) => {
  const a = i.readForWrite(0);
  const b = i.read(1);
  const result = i.mask(i.add(a, b));
  i.write(1, a);
  i.write(0, result); // last: with both operands the same register the sum stays
  i.setFlags("add", i.size, a, b, result);
};

/** On failure a register destination is not touched at all, not even zero-extended; memory is written back (SDM 2A, CMPXCHG). */
const compareAndExchange: Semantics = (i) => {
  const destination = i.readForWrite(0);
  const source = i.read(1);
  const accumulator = i.readGeneral(GPR.RAX);
  i.if(
    i.eq(accumulator, destination),
    () => i.write(0, source),
    () => i.writeGeneral(GPR.RAX, destination),
  );
  i.setFlags("sub", i.size, accumulator, destination, i.mask(i.sub(accumulator, destination)));
};

const compareAndExchange8: Semantics = (i) => {
  const address = i.address(0);
  const destination = i.load(8, address, true);
  const accumulator = i.or(i.shl(i.readGeneral(GPR.RDX, 4), i.i64(32)), i.readGeneral(GPR.RAX, 4));
  const source = i.or(i.shl(i.readGeneral(GPR.RCX, 4), i.i64(32)), i.readGeneral(GPR.RBX, 4));
  const equal = i.eq(accumulator, destination);
  i.store(8, address, i.select(equal, source, destination));
  i.if(i.isZero(i.widen(equal)), () => {
    i.writeGeneral(GPR.RAX, destination, 4);
    i.writeGeneral(GPR.RDX, i.shrU(destination, i.i64(32)), 4);
  });
  i.writeFlag("ZF", equal);
};

const compareAndExchange16: Semantics = (i) => {
  const address = i.address(0);
  i.requireAligned(address, 16);
  const highAddress = i.add(address, i.i64(8));
  const low = i.load(8, address, true);
  const high = i.load(8, highAddress, true);
  const differences = i.or(i.xor(low, i.readGeneral(GPR.RAX, 8)), i.xor(high, i.readGeneral(GPR.RDX, 8)));
  const equal = i.isZero(differences);
  i.store(8, address, i.select(equal, i.readGeneral(GPR.RBX, 8), low));
  i.store(8, highAddress, i.select(equal, i.readGeneral(GPR.RCX, 8), high));
  i.if(i.isZero(i.widen(equal)), () => {
    i.writeGeneral(GPR.RAX, low, 8);
    i.writeGeneral(GPR.RDX, high, 8);
  });
  i.writeFlag("ZF", equal);
};

const KEEPS_CARRY: RowTraits = { lockable: true, writes: ["PF", "AF", "ZF", "SF", "OF"] };
const TESTS: RowTraits = { writes: ALL, undefines: ["AF"] };

export const ARITHMETIC_ROWS: readonly InstructionRow[] = [
  ...operationRows(),
  row("INC", "40+r", "Zv", increment, { ...KEEPS_CARRY, lockable: false, mode: "legacy" }),
  row("DEC", "48+r", "Zv", decrement, { ...KEEPS_CARRY, lockable: false, mode: "legacy" }),
  row("INC", "FE /0", "Eb", increment, KEEPS_CARRY),
  row("INC", "FF /0", "Ev", increment, KEEPS_CARRY),
  row("DEC", "FE /1", "Eb", decrement, KEEPS_CARRY),
  row("DEC", "FF /1", "Ev", decrement, KEEPS_CARRY),
  row("NOT", "F6 /2", "Eb", complement, { lockable: true }),
  row("NOT", "F7 /2", "Ev", complement, { lockable: true }),
  row("NEG", "F6 /3", "Eb", negate, SUM),
  row("NEG", "F7 /3", "Ev", negate, SUM),
  row("TEST", "84", "Eb,Gb", TEST, TESTS),
  row("TEST", "85", "Ev,Gv", TEST, TESTS),
  row("TEST", "A8", "AL,Ib", TEST, TESTS),
  row("TEST", "A9", "rAX,Iz", TEST, TESTS),
  row("TEST", "F6 /0", "Eb,Ib", TEST, TESTS),
  row("TEST", "F7 /0", "Ev,Iz", TEST, TESTS),
  row("TEST", "F6 /1", "Eb,Ib", TEST, TESTS), // undocumented alias
  row("TEST", "F7 /1", "Ev,Iz", TEST, TESTS),
  row("CMPXCHG", "0F B0", "Eb,Gb", compareAndExchange, SUM),
  row("CMPXCHG", "0F B1", "Ev,Gv", compareAndExchange, SUM),
  row("CMPXCHG8B", "0F C7 /1 W0", "Mq", compareAndExchange8, { lockable: true, writes: ["ZF"], feature: "cx8" }),
  row("CMPXCHG16B", "0F C7 /1 W1", "Mdq", compareAndExchange16, {
    lockable: true,
    writes: ["ZF"],
    feature: "cx16",
    mode: "64",
  }),
  row("XADD", "0F C0", "Eb,Gb", exchangeAndAdd, SUM),
  row("XADD", "0F C1", "Ev,Gv", exchangeAndAdd, SUM),
];
