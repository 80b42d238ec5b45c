// Flag instructions: CLC STC CMC CLD STD CLI STI LAHF SAHF, and those that do nothing.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { GPR } from "./registers.ts";

const IF = 0x200;
const DF = 0x400;
/** OF is not part of AH. */
const LOW_FLAGS = 0xd5;
const OVERFLOW = 0x800;

const clearCarry: Semantics = (i) => i.writeFlag("CF", i.i32(0));
const setCarry: Semantics = (i) => i.writeFlag("CF", i.i32(1));
const complementCarry: Semantics = (i) => i.writeFlag("CF", i.pure("i32.eqz", [i.readFlag("CF")]));

const clearDirection: Semantics = (i) => {
  i.writeState(STATE.systemFlags, i.and(i.readState(STATE.systemFlags), i.i64(~DF)));
};
const setDirection: Semantics = (i) => {
  i.writeState(STATE.systemFlags, i.or(i.readState(STATE.systemFlags), i.i64(DF)));
};

/** i32: CPL > IOPL. */
function isBeyondIoPrivilege(i: InstructionBuilder): Value {
  const iopl = i.and(i.shrU(i.readState(STATE.systemFlags), i.i64(12)), i.i64(3));
  return i.ltU(iopl, i.readState(STATE.cpl));
}

const clearInterrupts: Semantics = (i) => {
  i.if(
    isBeyondIoPrivilege(i),
    () => i.callHelper("clearVirtualInterrupt"),
    () => i.writeState(STATE.systemFlags, i.and(i.readState(STATE.systemFlags), i.i64(~IF))),
  );
};

/** Interrupts stay inhibited for one more instruction if they were disabled before (SDM 2B, STI). */
const setInterrupts: Semantics = (i) => {
  i.if(
    isBeyondIoPrivilege(i),
    () => i.callHelper("setVirtualInterrupt"),
    () => {
      const flags = i.readState(STATE.systemFlags);
      i.if(i.isZero(i.and(flags, i.i64(IF))), () => i.writeState(STATE.interruptShadow, i.i64(1)));
      i.writeState(STATE.systemFlags, i.or(flags, i.i64(IF)));
    },
  );
  i.leave({ to: "next" });
};

const loadFlags: Semantics = (i) => {
  const flags = i.or(i.and(i.readFlags(), i.i64(LOW_FLAGS)), i.i64(2));
  i.writeRegister("general", { kind: "fixed", register: GPR.RAX * 8 + 1 }, 1, flags);
};

const storeFlags: Semantics = (i) => {
  const ah = i.readRegister("general", { kind: "fixed", register: GPR.RAX * 8 + 1 }, 1);
  i.writeArithmeticFlags(i.or(i.and(ah, i.i64(LOW_FLAGS)), i.and(i.readFlags(), i.i64(OVERFLOW))));
};

export const nothing: Semantics = () => {};

/** A loop that waits for another vCPU: that one should run now, before what follows takes a lock that was just released. */
const spin: Semantics = (i) => {
  i.callHelper("pause");
  i.leave({ to: "next" });
};

const IGNORED: RowTraits = { addressing: "unused", feature: "nop" };
const LOW: readonly ArithmeticFlag[] = ["CF", "PF", "AF", "ZF", "SF"];

export const FLAG_ROWS: readonly InstructionRow[] = [
  row("CLC", "F8", "", clearCarry, { writes: ["CF"] }),
  row("STC", "F9", "", setCarry, { writes: ["CF"] }),
  row("CMC", "F5", "", complementCarry, { reads: ["CF"], writes: ["CF"] }),
  row("CLD", "FC", "", clearDirection),
  row("STD", "FD", "", setDirection),
  row("CLI", "FA", "", clearInterrupts, { system: true }),
  row("STI", "FB", "", setInterrupts, { system: true, endsBlock: true }),
  row("LAHF", "9F", "", loadFlags, { reads: LOW, feature: "lahf64" }),
  row("SAHF", "9E", "", storeFlags, { writes: LOW, feature: "lahf64" }),
  row("NOP", "90", "", nothing),
  row("PAUSE", "F3 90", "", spin, { endsBlock: true }),
  row("NOP", "0F 1F", "Ev", nothing, IGNORED),
  ...["18", "19", "1A", "1B", "1C", "1D", "1E"].map((byte) => row("NOP", `0F ${byte}`, "Ev", nothing, IGNORED)),
  row("PREFETCHW", "0F 0D", "Mb", nothing, IGNORED),
  row("LFENCE", "NP 0F AE /5", "Rd", nothing, IGNORED),
  row("MFENCE", "NP 0F AE /6", "Rd", nothing, IGNORED),
  row("SFENCE", "NP 0F AE /7", "Rd", nothing, IGNORED),
];
