// Verifier, printer and passes on fragments.
import { describe, expect, it } from "vitest";
import { IrBuilder } from "../../../native-core/ir/builder.ts";
import type { Fragment, StateSlot, Value } from "../../../native-core/ir/nodes.ts";
import { mergeDuplicates } from "../../../native-core/ir/passes/merge-duplicates.ts";
import { placeValues } from "../../../native-core/ir/passes/place-values.ts";
import { printFragment } from "../../../native-core/ir/printer.ts";
import { verifyFragment } from "../../../native-core/ir/verifier.ts";

const RAX = { kind: "fixed", register: 0 } as const;
const SLOT: StateSlot = { offset: 0x100, type: "u64" };
const flagOperandUses = (): [number, number, number] => [1, 1, 1];
const lines = (fragment: Fragment): string[] => printFragment(fragment).trim().split("\n");

describe("builder", () => {
  it("folds constants", () => {
    const b = new IrBuilder();
    const sum = b.pure("i64.add", [b.i64(2), b.i64(40)]);
    expect(sum.node).toEqual({ op: "const", value: 42n });
  });

  it("does not fold what would trap", () => {
    const b = new IrBuilder();
    expect(b.pure("i64.div_u", [b.i64(1), b.i64(0)]).node.op).toBe("pure");
  });

  it("checks types", () => {
    const b = new IrBuilder();
    expect(() => b.pure("i64.add", [b.i64(1), b.i32(1)])).toThrow("operand 1 is i32, not i64");
  });
});

describe("verifier", () => {
  it("accepts what the builder makes", () => {
    const b = new IrBuilder();
    const value = b.readRegister("general", RAX, 8);
    b.if(b.pure("i64.eqz", [value]), () => b.raise(6));
    b.writeRegister("general", RAX, 8, b.pure("i64.add", [value, b.i64(1)]));
    expect(() => verifyFragment(b.finish())).not.toThrow();
  });

  it("refuses a value from a branch used behind it", () => {
    const b = new IrBuilder();
    let inner: Value | undefined;
    b.if(b.i32(1), () => {
      inner = b.readState(SLOT);
    });
    b.writeState(SLOT, inner as Value);
    expect(() => verifyFragment(b.finish())).toThrow("defined before it is used");
  });

  it("refuses effects behind an exit", () => {
    const b = new IrBuilder();
    b.exit({ to: "next" });
    b.writeState(SLOT, b.i64(0));
    expect(() => verifyFragment(b.finish())).toThrow("nothing follows an exit");
  });
});

describe("merging duplicates", () => {
  it("computes an address once for load and store", () => {
    const b = new IrBuilder();
    const address = () => b.pure("i64.add", [b.readRegister("general", RAX, 8), b.field("disp")]);
    const value = b.load(8, address(), true);
    b.store(8, address(), b.pure("i64.add", [value, b.i64(1)]));
    const merged = mergeDuplicates(b.finish());
    expect(lines(merged).filter((line) => line.includes("general"))).toHaveLength(1);
    const loads = merged.body.find((s) => s.kind === "define" && s.value.node.op === "load");
    const store = merged.body.find((s) => s.kind === "store");
    const loadAddress = loads?.kind === "define" && loads.value.node.op === "load" ? loads.value.node.address.id : -1;
    expect(store?.kind === "store" && store.address.id).toBe(loadAddress);
  });

  it("reads a register again after it was written", () => {
    const b = new IrBuilder();
    const first = b.readRegister("general", RAX, 8);
    b.writeRegister("general", RAX, 8, b.pure("i64.add", [first, b.i64(1)]));
    b.writeState(SLOT, b.readRegister("general", RAX, 8));
    expect(lines(mergeDuplicates(b.finish())).filter((line) => line.includes("= general"))).toHaveLength(2);
  });

  it("forgets what a branch may have changed", () => {
    const b = new IrBuilder();
    const before = b.readState(SLOT);
    b.if(b.pure("i64.eqz", [before]), () => b.writeState(SLOT, b.i64(7)));
    b.writeRegister("general", RAX, 8, b.readState(SLOT));
    expect(lines(mergeDuplicates(b.finish())).filter((line) => line.includes("= state"))).toHaveLength(2);
  });

  it("never merges loads", () => {
    const b = new IrBuilder();
    const address = b.readRegister("general", RAX, 8);
    b.writeState(SLOT, b.pure("i64.add", [b.load(8, address), b.load(8, address)]));
    expect(lines(mergeDuplicates(b.finish())).filter((line) => line.includes("load.8"))).toHaveLength(2);
  });
});

describe("placing values", () => {
  const defined = (fragment: Fragment, op: string): Value[] =>
    fragment.body.flatMap((s) => (s.kind === "define" && s.value.node.op === op ? [s.value] : []));

  it("a read moves to its only user if nothing in between changes it", () => {
    const b = new IrBuilder();
    const value = b.readRegister("general", RAX, 8);
    b.writeState(SLOT, b.i64(1));
    b.writeState(SLOT, value);
    const fragment = b.finish();
    const placement = placeValues(fragment, { flagOperandUses });
    expect(placement.hasLocal(defined(fragment, "readRegister")[0] as Value)).toBe(false);
  });

  it("a read stays where a write would overtake it", () => {
    const b = new IrBuilder();
    const value = b.readRegister("general", RAX, 8);
    b.writeRegister("general", RAX, 8, b.i64(0));
    b.writeState(SLOT, value);
    const fragment = b.finish();
    const placement = placeValues(fragment, { flagOperandUses });
    expect(placement.hasLocal(defined(fragment, "readRegister")[0] as Value)).toBe(true);
  });

  it("a load never moves behind a change of state, for its fault must come first", () => {
    const b = new IrBuilder();
    const value = b.load(8, b.field("disp"));
    b.writeState(SLOT, b.i64(1));
    b.writeRegister("general", RAX, 8, value);
    const fragment = b.finish();
    const placement = placeValues(fragment, { flagOperandUses });
    expect(placement.hasLocal(defined(fragment, "load")[0] as Value)).toBe(true);
  });

  it("of two loads the first stays first", () => {
    const b = new IrBuilder();
    const first = b.load(8, b.field("disp"));
    const second = b.load(8, b.field("imm"));
    b.writeState(SLOT, b.pure("i64.add", [second, first]));
    const fragment = b.finish();
    const placement = placeValues(fragment, { flagOperandUses });
    expect([first, second].map((value) => placement.hasLocal(value))).toEqual([true, false]);
  });

  it("a value nobody needs is not computed", () => {
    const b = new IrBuilder();
    const value = b.readRegister("general", RAX, 8);
    b.pure("i64.add", [value, b.i64(1)]);
    const fragment = b.finish();
    expect(placeValues(fragment, { flagOperandUses }).uses(value)).toBe(0);
  });
});
