// System instructions: descriptor tables, control and debug registers, MSRs, ports, TLB, identification. What they do beyond a few
// moves is in cpu/helpers; here are privilege checks, operand access and how the block goes on.
import type { Size, StateSlot, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SEGMENT_FIELDS, STATE, segmentOffset } from "../state-layout.ts";
import { leaveToNext } from "./control-flow.ts";
import { requirePort } from "./port.ts";
import { GPR } from "./registers.ts";
import { checkedSource } from "./string-address.ts";

const INVALID_OPCODE = 6;
const GENERAL_PROTECTION = 13;
const VM = 0x2_0000;
const CR4_UMIP = 0x800;
const CR4_FSGSBASE = 0x1_0000;
const AC = 0x4_0000;

/** #GP(0) unless CPL is 0. */
function requireSupervisor(i: InstructionBuilder): void {
  i.if(i.isNonZero(i.readState(STATE.cpl)), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
}

/** #GP(0) for user code that asks about the system's tables while CR4.UMIP forbids it. */
function requireUnprotected(i: InstructionBuilder): void {
  const forbidden = i.and(i.readState(STATE.cr4), i.i64(CR4_UMIP));
  i.if(i.isNonZero(forbidden), () => requireSupervisor(i));
}

/** #UD in real and virtual-8086 mode. */
function requireProtectedMode(i: InstructionBuilder): void {
  if (i.form.mode === "64") return;
  const protection = i.and(i.readState(STATE.cr0), i.i64(1));
  const virtual8086 = i.and(i.readState(STATE.systemFlags), i.i64(VM));
  i.if(i.pure("i32.or", [i.isZero(protection), i.isNonZero(virtual8086)]), () => i.raise(INVALID_OPCODE));
}

/** A register destination takes the whole operand size, memory 16 bits. */
function storeSelector(slot: { readonly offset: number }): Semantics {
  const selector = { offset: slot.offset + SEGMENT_FIELDS.selector.offset, type: "u16" as const };
  return (i) => {
    requireProtectedMode(i);
    requireUnprotected(i);
    i.write(0, i.readState(selector));
  };
}

function loadSystemSegment(helper: string): Semantics {
  return (i) => {
    requireProtectedMode(i);
    requireSupervisor(i);
    i.callHelper(helper, [i.read(0)]);
  };
}

function storeTable(base: typeof STATE.gdtBase, limit: typeof STATE.gdtLimit): Semantics {
  return (i) => {
    requireUnprotected(i);
    const address = i.address(0);
    const size: Size = i.form.mode === "64" ? 8 : 4;
    i.store(2, address, i.readState(limit));
    i.store(size, i.add(address, i.i64(2)), i.readState(base));
  };
}

/** With a 16-bit operand only 24 bits of the base are used (SDM 2A, LGDT). */
function loadTable(base: typeof STATE.gdtBase, limit: typeof STATE.gdtLimit): Semantics {
  return (i) => {
    requireSupervisor(i);
    const address = i.address(0);
    const length = i.load(2, address);
    const size: Size = i.form.mode === "64" ? 8 : 4;
    let start = i.load(size, i.add(address, i.i64(2)));
    if (i.form.mode === "64") {
      const canonical = i.shrS(i.shl(start, i.i64(16)), i.i64(16));
      i.if(i.ne(canonical, start), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
    } else if (i.size === 2) start = i.and(start, i.i64(0xff_ffff));
    i.writeState(base, start);
    i.writeState(limit, length);
  };
}

const storeMachineStatus: Semantics = (i) => {
  requireUnprotected(i);
  i.write(0, i.readState(STATE.cr0));
};

const loadMachineStatus: Semantics = (i) => {
  requireSupervisor(i);
  i.callHelper("loadMachineStatus", [i.read(0)]);
  leaveToNext(i);
};

const clearTaskSwitched: Semantics = (i) => {
  requireSupervisor(i);
  i.callHelper("clearTaskSwitched");
  i.leave({ to: "next" });
};

const invalidatePage: Semantics = (i) => {
  requireSupervisor(i);
  i.callHelper("invalidatePage", [i.address(0)]);
  leaveToNext(i);
};

/** Number of the control or debug register, which the decoder left in a field. */
function registerNumber(i: InstructionBuilder, n: number): Value {
  const operand = i.operand(n);
  if (!("selector" in operand) || operand.selector.kind !== "field") throw new Error("register is not in a field");
  return i.field(operand.selector.field);
}

/** CR0, CR2, CR3, CR4, CR8. */
const CONTROL_REGISTERS = 0x11d;

/** A control register that does not exist is #UD whatever the privilege; debug registers are looked at later. */
function requireRegister(i: InstructionBuilder, n: number): void {
  if (i.operand(n).kind !== "control") return;
  const bit = i.shrU(i.i64(CONTROL_REGISTERS), registerNumber(i, n));
  i.if(i.isZero(i.and(bit, i.i64(1))), () => i.raise(INVALID_OPCODE));
}

const readDebug: Semantics = (i) => {
  requireRegister(i, 1);
  requireSupervisor(i);
  i.write(0, i.callHelper("readDebug", [registerNumber(i, 1)]));
};

/** What page faults leave is read after each of them. */
const readControl: Semantics = (i) => {
  requireRegister(i, 1);
  requireSupervisor(i);
  const number = registerNumber(i, 1);
  i.if(
    i.eq(number, i.i64(2)),
    () => i.write(0, i.readState(STATE.cr2)),
    () => i.write(0, i.callHelper("readControl", [number])),
  );
};

function writeSpecial(helper: string): Semantics {
  return (i) => {
    requireRegister(i, 0);
    requireSupervisor(i);
    i.callHelper(helper, [registerNumber(i, 0), i.read(1)]);
    leaveToNext(i);
  };
}

function writePair(i: InstructionBuilder, value: Value): void {
  i.writeGeneral(GPR.RAX, value, 4);
  i.writeGeneral(GPR.RDX, i.shrU(value, i.i64(32)), 4);
}

const readMsr: Semantics = (i) => {
  requireSupervisor(i);
  writePair(i, i.callHelper("readMsr", [i.readGeneral(GPR.RCX, 4)]));
};

const writeMsr: Semantics = (i) => {
  requireSupervisor(i);
  const value = i.or(i.shl(i.readGeneral(GPR.RDX, 4), i.i64(32)), i.readGeneral(GPR.RAX, 4));
  i.callHelper("writeMsr", [i.readGeneral(GPR.RCX, 4), value]);
  i.leave({ to: "next" });
};

const CR4_PCE = 0x100;
/** Counters of AMD family 0Fh, which count nothing (helpers/msr.ts). */
const COUNTERS = 4;

const readCounter: Semantics = (i) => {
  const enabled = i.isNonZero(i.and(i.readState(STATE.cr4), i.i64(CR4_PCE)));
  const allowed = i.pure("i32.or", [enabled, i.isZero(i.readState(STATE.cpl))]);
  const exists = i.ltU(i.readGeneral(GPR.RCX, 4), i.i64(COUNTERS));
  i.if(i.pure("i32.eqz", [i.pure("i32.and", [allowed, exists])]), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
  writePair(i, i.i64(0));
};

const readTsc: Semantics = (i) => writePair(i, i.callHelper("readTsc"));

const readTscAndAux: Semantics = (i) => {
  writePair(i, i.callHelper("readTsc"));
  i.writeGeneral(GPR.RCX, i.readState(STATE.tscAux), 4);
};

const identify: Semantics = (i) => {
  i.callHelper("cpuid");
};

const GS_BASE: StateSlot = { offset: segmentOffset("gs") + SEGMENT_FIELDS.base.offset, type: "u64" };

const swapGs: Semantics = (i) => {
  requireSupervisor(i);
  const user = i.readState(GS_BASE);
  const kernel = i.readState(STATE.kernelGsBase);
  i.writeState(GS_BASE, kernel);
  i.writeState(STATE.kernelGsBase, user);
};

const segmentBase = (segment: "fs" | "gs"): StateSlot => ({
  offset: segmentOffset(segment) + SEGMENT_FIELDS.base.offset,
  type: "u64",
});

function requireBaseAccess(i: InstructionBuilder): void {
  const enabled = i.and(i.readState(STATE.cr4), i.i64(CR4_FSGSBASE));
  i.if(i.isZero(enabled), () => i.raise(INVALID_OPCODE));
}

function readBase(segment: "fs" | "gs"): Semantics {
  return (i) => {
    requireBaseAccess(i);
    i.write(0, i.readState(segmentBase(segment)));
  };
}

function writeBase(segment: "fs" | "gs"): Semantics {
  return (i) => {
    requireBaseAccess(i);
    const base = i.read(0);
    const canonical = i.shrS(i.shl(base, i.i64(16)), i.i64(16));
    i.if(i.ne(canonical, base), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
    i.writeState(segmentBase(segment), base);
  };
}

/** STAC and CLAC: open the user's pages to the supervisor while CR4.SMAP closes them. Only for CPL 0. */
function writeAccessFlag(value: 0 | 1): Semantics {
  return (i) => {
    i.if(i.isNonZero(i.readState(STATE.cpl)), () => i.raise(INVALID_OPCODE));
    const flags = i.readState(STATE.systemFlags);
    i.writeState(STATE.systemFlags, value ? i.or(flags, i.i64(AC)) : i.and(flags, i.i64(~AC)));
  };
}

const invalidatePcid: Semantics = (i) => {
  requireSupervisor(i);
  const address = i.address(1);
  const type = i.read(0);
  i.callHelper("invalidatePcid", [type, i.load(8, address), i.load(8, i.add(address, i.i64(8)))]);
  leaveToNext(i);
};

const halt: Semantics = (i) => {
  requireSupervisor(i);
  i.callHelper("halt");
  i.leave({ to: "next" });
};

/** MONITOR and MWAIT are the supervisor's (AMD APM 3: #UD elsewhere, unless HWCR allows it). No extension of theirs is there. */
function requireMonitor(i: InstructionBuilder): void {
  i.if(i.isNonZero(i.readState(STATE.cpl)), () => i.raise(INVALID_OPCODE));
  i.if(i.isNonZero(i.readGeneral(GPR.RCX, 4)), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
}

const monitorLine: Semantics = (i) => {
  requireMonitor(i);
  const address = checkedSource(i, i.readGeneral(GPR.RAX, 8), 1);
  i.load(1, address);
  i.callHelper("monitorLine", [address]);
};

const monitorWait: Semantics = (i) => {
  requireMonitor(i);
  i.callHelper("monitorWait");
  i.leave({ to: "next" });
};

const flushCaches: Semantics = (i) => requireSupervisor(i);

function portNumber(i: InstructionBuilder, n: number): Value {
  return i.mask(i.read(n), i.operand(n).kind === "immediate" ? 1 : 2);
}

const input: Semantics = (i) => {
  const port = portNumber(i, 1);
  requirePort(i, port);
  i.write(0, i.callHelper("readPort", [port, i.i64(i.size)]));
};

const output: Semantics = (i) => {
  const port = portNumber(i, 0);
  // The first operand is the port: DX would make every OUT a word.
  const data = i.operand(1);
  const size = i.i64(data.kind === "general" ? data.size : i.size);
  i.callHelper("checkPort", [port, size]);
  i.callHelper("writePort", [port, size, i.read(1)]);
};

/** LAR and LSL: the helper yields -1 for a selector that may not be looked at. */
function inspect(helper: string): Semantics {
  return (i) => {
    requireProtectedMode(i);
    const value = i.callHelper(helper, [i.mask(i.read(1), 2)]);
    const valid = i.ne(value, i.i64(-1));
    i.if(valid, () => i.write(0, value));
    i.writeFlag("ZF", valid);
  };
}

function verify(helper: string): Semantics {
  return (i) => {
    requireProtectedMode(i);
    i.writeFlag("ZF", i.isNonZero(i.callHelper(helper, [i.read(0)])));
  };
}

const probe: Semantics = (i) => {
  i.load(1, i.address(0));
};

const SYSTEM: RowTraits = { system: true, cold: true };
const PRIVILEGED: RowTraits = { system: true, cold: true, privileged: true };
const PRIVILEGED_END: RowTraits = { ...PRIVILEGED, endsBlock: true };
const CONTROL: RowTraits = { ...PRIVILEGED, size64: "f64" };
const MONITOR: RowTraits = { ...SYSTEM, feature: "monitor" };
const BASE: RowTraits = { ...SYSTEM, mode: "64", feature: "fsgsbase" };

export const SYSTEM_ROWS: readonly InstructionRow[] = [
  row("SLDT", "0F 00 /0", "Rv/Mw", storeSelector(STATE.ldtr), { ...SYSTEM, modal: true }),
  row("STR", "0F 00 /1", "Rv/Mw", storeSelector(STATE.tr), { ...SYSTEM, modal: true }),
  row("LLDT", "0F 00 /2", "Ew", loadSystemSegment("loadLdt"), { ...PRIVILEGED, modal: true }),
  row("LTR", "0F 00 /3", "Ew", loadSystemSegment("loadTask"), { ...PRIVILEGED, modal: true }),
  row("VERR", "0F 00 /4", "Ew", verify("verifyRead"), { ...SYSTEM, modal: true, writes: ["ZF"] }),
  row("VERW", "0F 00 /5", "Ew", verify("verifyWrite"), { ...SYSTEM, modal: true, writes: ["ZF"] }),
  row("SGDT", "0F 01 /0", "M", storeTable(STATE.gdtBase, STATE.gdtLimit), { ...SYSTEM, modal: true }),
  row("SIDT", "0F 01 /1", "M", storeTable(STATE.idtBase, STATE.idtLimit), { ...SYSTEM, modal: true }),
  row("LGDT", "0F 01 /2", "M", loadTable(STATE.gdtBase, STATE.gdtLimit), { ...PRIVILEGED, modal: true, sized: true }),
  row("LIDT", "0F 01 /3", "M", loadTable(STATE.idtBase, STATE.idtLimit), { ...PRIVILEGED, modal: true, sized: true }),
  row("SMSW", "0F 01 /4", "Rv/Mw", storeMachineStatus, SYSTEM),
  row("LMSW", "0F 01 /6", "Ew", loadMachineStatus, PRIVILEGED_END),
  row("INVLPG", "0F 01 /7", "M", invalidatePage, PRIVILEGED_END),
  row("SWAPGS", "0F 01 F8", "", swapGs, { system: true, privileged: true, mode: "64" }),
  row("MONITOR", "NP 0F 01 C8", "Xb", monitorLine, MONITOR),
  row("MWAIT", "NP 0F 01 C9", "", monitorWait, { ...MONITOR, endsBlock: true }),
  row("RDTSCP", "0F 01 F9", "", readTscAndAux, { ...SYSTEM, feature: "rdtscp" }),
  row("CLAC", "NP 0F 01 CA", "", writeAccessFlag(0), { ...SYSTEM, feature: "smap" }),
  row("STAC", "NP 0F 01 CB", "", writeAccessFlag(1), { ...SYSTEM, feature: "smap" }),
  row("RDFSBASE", "F3 0F AE /0", "Ry", readBase("fs"), BASE),
  row("RDGSBASE", "F3 0F AE /1", "Ry", readBase("gs"), BASE),
  row("WRFSBASE", "F3 0F AE /2", "Ry", writeBase("fs"), BASE),
  row("WRGSBASE", "F3 0F AE /3", "Ry", writeBase("gs"), BASE),
  row("INVPCID", "66 0F 38 82", "Gy,M", invalidatePcid, { ...CONTROL, feature: "invpcid", endsBlock: true }),
  row("LAR", "0F 02", "Gv,Rv/Mw", inspect("accessRights"), { ...SYSTEM, modal: true, writes: ["ZF"] }),
  row("LSL", "0F 03", "Gv,Rv/Mw", inspect("segmentLimit"), { ...SYSTEM, modal: true, writes: ["ZF"] }),
  row("CLTS", "0F 06", "", clearTaskSwitched, PRIVILEGED_END),
  row("INVD", "0F 08", "", flushCaches, PRIVILEGED),
  row("WBINVD", "0F 09", "", flushCaches, PRIVILEGED),
  row("MOV", "0F 20", "Ry,Cy", readControl, CONTROL),
  row("MOV", "0F 21", "Ry,Dy", readDebug, CONTROL),
  row("MOV", "0F 22", "Cy,Ry", writeSpecial("writeControl"), { ...CONTROL, endsBlock: true }),
  row("MOV", "0F 23", "Dy,Ry", writeSpecial("writeDebug"), { ...CONTROL, endsBlock: true }),
  row("WRMSR", "0F 30", "", writeMsr, PRIVILEGED_END),
  row("RDTSC", "0F 31", "", readTsc, SYSTEM),
  row("RDMSR", "0F 32", "", readMsr, PRIVILEGED),
  row("RDPMC", "0F 33", "", readCounter, SYSTEM),
  row("CPUID", "0F A2", "", identify, SYSTEM),
  row("CLFLUSH", "NP 0F AE /7", "M", probe, { feature: "clflush" }),
  row("CLFLUSHOPT", "66 0F AE /7", "M", probe, { feature: "clflushopt" }),
  row("CLWB", "66 0F AE /6", "M", probe, { feature: "clwb" }),
  row("HLT", "F4", "", halt, PRIVILEGED_END),
  row("IN", "E4", "AL,Ib", input, SYSTEM),
  row("IN", "E5", "eAX,Ib", input, SYSTEM),
  row("OUT", "E6", "Ib,AL", output, SYSTEM),
  row("OUT", "E7", "Ib,eAX", output, SYSTEM),
  row("IN", "EC", "AL,DX", input, SYSTEM),
  row("IN", "ED", "eAX,DX", input, SYSTEM),
  row("OUT", "EE", "DX,AL", output, SYSTEM),
  row("OUT", "EF", "DX,eAX", output, SYSTEM),
  row("RSM", "0F AA", "", (i) => i.raise(INVALID_OPCODE), PRIVILEGED_END), // outside SMM
];
