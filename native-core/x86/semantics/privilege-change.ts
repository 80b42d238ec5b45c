// IRET, SYSCALL and SYSRET. What a 64-bit kernel does all the time happens in place: SYSCALL, SYSRETQ, and IRETQ within the kernel or to
// flat user segments. Every other case, and every fault, is left to the helper of the same instruction.
import type { StateSlot, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { EFER, FLAT_SEGMENT, RFLAGS } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SEGMENT_FIELDS, SEGMENTS, STATE, segmentOffset } from "../state-layout.ts";
import { GPR } from "./registers.ts";

const CS = SEGMENTS.indexOf("cs");
const SS = SEGMENTS.indexOf("ss");
const DATA_SEGMENTS = (["es", "ds", "fs", "gs"] as const).map((name) => SEGMENTS.indexOf(name));

const { TF, IF, DF, IOPL, NT, RF, AC, VIF, VIP, ID } = RFLAGS;
const TF_POSITION = 8;
/** What IRETQ at CPL 0 takes from the stack beside the arithmetic flags. */
const RETURN_FLAGS = TF | IF | DF | IOPL | NT | RF | AC | VIF | VIP | ID;
/** The same for SYSRET from R11, which clears RF. */
const SYSRET_FLAGS = RETURN_FLAGS & ~RF;

/** STATE.codeModes when user and supervisor code are both known to be 64-bit: nobody has to be told of a change between them. */
const BOTH_64 = 0x0808;

/** User segments as flat as they can be: 64-bit code, and data of 4 GiB, present, DPL 3, accessed. */
const USER_CODE_DESCRIPTOR = 0x00af_fb00_0000_ffffn;
const USER_DATA_DESCRIPTOR = 0x00cf_f300_0000_ffffn;
/** Attribute bits: S, and DPL. */
const ATTRIBUTE_SEGMENT = 0x10;
const ATTRIBUTE_DPL = 0x60;

/** Zero where all differences are zero, as i32. */
function allZero(i: InstructionBuilder, differences: readonly Value[]): Value {
  return i.isZero(differences.reduce((a, b) => i.or(a, b)));
}

/** Zero for a canonical address. */
function nonCanonical(i: InstructionBuilder, address: Value): Value {
  return i.xor(address, i.shrS(i.shl(address, i.i64(16)), i.i64(16)));
}

function slotOf(segment: "cs" | "ss", field: { readonly offset: number }, type: StateSlot["type"]): StateSlot {
  return { offset: segmentOffset(segment) + field.offset, type };
}

/** Loads a flat segment: attributes and selector lie side by side and are written at once. */
function writeFlatSegment(i: InstructionBuilder, segment: "cs" | "ss", selector: Value, attributes: number): void {
  const { base, limit, attributes: both } = SEGMENT_FIELDS;
  i.writeState(slotOf(segment, base, "u64"), i.i64(0));
  i.writeState(slotOf(segment, limit, "u32"), i.i64(0xffff_ffff));
  i.writeState(slotOf(segment, both, "u32"), i.or(i.shl(selector, i.i64(16)), i.i64(attributes)));
}

/** Flags from an RFLAGS image; `writable` of the system flags. */
function writeFlags(i: InstructionBuilder, image: Value, writable: Value): void {
  const old = i.readState(STATE.systemFlags);
  i.writeArithmeticFlags(image);
  i.writeState(STATE.systemFlags, i.or(i.and(old, i.not(writable)), i.and(image, writable)));
}

function leaveTo(i: InstructionBuilder, rip: Value): void {
  i.writeState(STATE.rip, rip);
  i.leave({ to: "state" });
}

/** Selectors, RIP, RSP and RFLAGS as IRETQ finds them on the stack. */
function returnFrame(i: InstructionBuilder) {
  const top = i.readGeneral(GPR.RSP, 8);
  const slot = (n: number): Value => i.load(8, i.add(top, i.i64(8 * n)));
  const [rip, cs, flags, rsp, ss] = [slot(0), slot(1), slot(2), slot(3), slot(4)];
  return { rip, cs: i.mask(cs, 2), flags, rsp, ss: i.mask(ss, 2) };
}

type Frame = ReturnType<typeof returnFrame>;

/** From the kernel to itself with the segments that are loaded already: only RIP, RSP and RFLAGS change (also sync_core in Linux). */
function returnWithinLevel(i: InstructionBuilder, frame: Frame): void {
  const differences = [
    i.xor(frame.cs, i.readSegment(CS, "selector")),
    i.xor(frame.ss, i.readSegment(SS, "selector")),
    nonCanonical(i, frame.rip),
  ];
  i.if(allZero(i, differences), () => {
    i.writeGeneral(GPR.RSP, frame.rsp, 8);
    writeFlags(i, frame.flags, i.i64(RETURN_FLAGS));
    leaveTo(i, frame.rip);
  });
}

/** Zero for a selector of the GDT with RPL 3 whose descriptor is exactly `expected`. */
function descriptorDifference(i: InstructionBuilder, selector: Value, expected: bigint): Value {
  const offset = i.and(selector, i.i64(0xfff8));
  const descriptor = i.load(8, i.add(i.readState(STATE.gdtBase), offset));
  return i.or(i.xor(descriptor, i.i64(expected)), i.xor(i.and(selector, i.i64(7)), i.i64(3)));
}

/** Non-zero if the segment would have to be dropped at CPL 3: its descriptor is more privileged. */
function dropped(i: InstructionBuilder, segment: number): Value {
  const attributes = i.readSegment(segment, "attributes");
  const privileged = i.ne(i.and(attributes, i.i64(ATTRIBUTE_DPL)), i.i64(ATTRIBUTE_DPL));
  return i.and(attributes, i.select(privileged, i.i64(ATTRIBUTE_SEGMENT), i.i64(0)));
}

/** From the kernel to flat 64-bit user code. The descriptors are read like any others, but have to be the usual ones. */
function returnToUser(i: InstructionBuilder, frame: Frame): void {
  const limit = i.readState(STATE.gdtLimit);
  const beyond = (selector: Value): Value => i.widen(i.ltU(limit, i.or(selector, i.i64(7))));
  const differences = [
    beyond(frame.cs),
    beyond(frame.ss),
    i.xor(i.readState(STATE.codeModes), i.i64(BOTH_64)),
    nonCanonical(i, frame.rip),
    // Alignment checks begin: the TLB has to know.
    i.and(frame.flags, i.i64(AC)),
  ];
  i.if(allZero(i, differences), () => {
    const descriptors = [
      descriptorDifference(i, frame.cs, USER_CODE_DESCRIPTOR),
      descriptorDifference(i, frame.ss, USER_DATA_DESCRIPTOR),
      ...DATA_SEGMENTS.map((segment) => dropped(i, segment)),
    ];
    i.if(allZero(i, descriptors), () => {
      i.writeGeneral(GPR.RSP, frame.rsp, 8);
      writeFlags(i, frame.flags, i.i64(RETURN_FLAGS));
      writeFlatSegment(i, "cs", frame.cs, FLAT_SEGMENT.CODE_64 | FLAT_SEGMENT.DPL3);
      writeFlatSegment(i, "ss", frame.ss, FLAT_SEGMENT.DATA | FLAT_SEGMENT.DPL3);
      i.writeState(STATE.cpl, i.i64(3));
      leaveTo(i, frame.rip);
    });
  });
}

const interruptReturn: Semantics = (i) => {
  if (i.form.mode === "64" && i.size === 8) {
    const nested = i.and(i.readState(STATE.systemFlags), i.i64(NT));
    i.if(allZero(i, [i.readState(STATE.cpl), i.readState(STATE.nmiBlocked), nested]), () => {
      const frame = returnFrame(i);
      returnWithinLevel(i, frame);
      returnToUser(i, frame);
    });
  }
  i.callHelper("interruptReturn", [i.i64(i.size), i.nextRip()]);
  i.leave({ to: "state" });
};

/** EFER.SCE is set and both sides are 64-bit code. */
function fastSyscalls(i: InstructionBuilder): Value[] {
  const disabled = i.xor(i.and(i.readState(STATE.efer), i.i64(EFER.SCE)), i.i64(EFER.SCE));
  return [disabled, i.xor(i.readState(STATE.codeModes), i.i64(BOTH_64))];
}

const systemCall: Semantics = (i) => {
  const slowly = (): void => {
    i.callHelper("systemCall", [i.nextRip()]);
  };
  if (i.form.mode !== "64") slowly();
  else {
    const quickly = (): void => {
      const flags = i.readFlags();
      const kept = i.and(flags, i.not(i.or(i.readState(STATE.fmask), i.i64(RF))));
      const selector = i.and(i.shrU(i.readState(STATE.star), i.i64(32)), i.i64(0xfffc));
      i.writeGeneral(GPR.RCX, i.nextRip(), 8);
      i.writeGeneral(GPR.R11, i.and(flags, i.i64(~RF)), 8);
      writeFlags(i, kept, i.i64(RETURN_FLAGS));
      writeFlatSegment(i, "cs", selector, FLAT_SEGMENT.CODE_64);
      writeFlatSegment(i, "ss", i.mask(i.add(selector, i.i64(8)), 2), FLAT_SEGMENT.DATA);
      i.writeState(STATE.cpl, i.i64(0));
      // A single step ends with the instruction unless that masked it.
      const steps = i.and(i.shrU(kept, i.i64(TF_POSITION)), i.i64(1));
      i.writeState(STATE.trapInhibited, i.xor(steps, i.i64(1)));
      i.writeState(STATE.rip, i.readState(STATE.lstar));
    };
    i.if(allZero(i, fastSyscalls(i)), quickly, slowly);
  }
  // One way on, which compiled code takes as a call.
  i.leave({ to: "state" });
};

const systemReturn: Semantics = (i) => {
  if (i.form.mode === "64" && i.size === 8) {
    const target = i.readGeneral(GPR.RCX, 8);
    // Single steps or alignment checks begin.
    const checked = i.and(i.readGeneral(GPR.R11, 8), i.i64(TF | AC));
    i.if(allZero(i, [...fastSyscalls(i), i.readState(STATE.cpl), nonCanonical(i, target), checked]), () => {
      const star = i.shrU(i.readState(STATE.star), i.i64(48));
      const selector = (offset: number): Value => i.or(i.and(i.add(star, i.i64(offset)), i.i64(0xfffc)), i.i64(3));
      const flags = i.and(i.readGeneral(GPR.R11, 8), i.i64(~RF));
      writeFlags(i, flags, i.i64(SYSRET_FLAGS | RF));
      writeFlatSegment(i, "cs", selector(16), FLAT_SEGMENT.CODE_64 | FLAT_SEGMENT.DPL3);
      writeFlatSegment(i, "ss", selector(8), FLAT_SEGMENT.DATA | FLAT_SEGMENT.DPL3);
      i.writeState(STATE.cpl, i.i64(3));
      leaveTo(i, target);
    });
  }
  i.callHelper("systemReturn", [i.i64(i.size)]);
  i.leave({ to: "state" });
};

const TRANSFER: RowTraits = { endsBlock: true, cold: true, system: true };

export const PRIVILEGE_CHANGE_ROWS: readonly InstructionRow[] = [
  row("IRET", "CF", "", interruptReturn, { ...TRANSFER, sized: true }),
  row("SYSCALL", "0F 05", "", systemCall, { ...TRANSFER, feature: "syscall" }),
  row("SYSRET", "0F 07", "", systemReturn, { ...TRANSFER, sized: true, feature: "syscall", privileged: true }),
];
