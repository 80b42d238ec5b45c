// What the parts of a region's function share: the locals that stand for machine state, and the two ways out.
//
//   registers in i64 and v128 locals, loaded at entry, stored at the exit and around helpers
//   base      RIP of offset 0 of the page (regions run wherever their page is mapped)
//   count     instructions retired up to the current block
//   flags     region-flags.ts
//
// The function returns an outcome of the interpreter's (interpreter/dispatch.ts) with a link slot in the upper bits; RIP is in state.
import {
  add32,
  add64,
  and32,
  and64,
  block,
  br,
  brIf,
  type Code,
  call,
  eq32,
  eq64,
  extendU,
  get,
  i32,
  i64,
  load,
  ne32,
  ne64,
  op,
  or32,
  or64,
  seq,
  set,
  shrU64,
  store,
  sub32,
  unlikely,
  when,
  wrap,
  xor32,
  xor64,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { FunctionReference, Label, Local } from "../../wasm/types.ts";
import { GPR_OFFSET, PSEUDO_REGISTERS, STATE, VECTOR_OFFSET, VECTOR_STRIDE } from "../../x86/state-layout.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, LINK_SLOT } from "../interpreter/block-layout.ts";
import type { Runtime } from "../interpreter/target.ts";
import { interruptible, readCell, readSlot, writeSlot, writeSlot32 } from "../mmu/cells.ts";
import { AREA, CELLS, PAGE_SIZE } from "../mmu/memory-layout.ts";
import type { FlagFunctions } from "./flag-forms.ts";
import { KnownPages } from "./known-pages.ts";
import { NOT_TO_FOLLOW, OUTCOME, OUTCOME_BITS, SYSTEM_CALLER } from "./outcome.ts";
import { type FlagKnowledge, RegionFlags } from "./region-flags.ts";
import { FIRST_VECTOR, type RegionRegisters } from "./region-registers.ts";
import type { ImportedAccess, SlowPaths } from "./slow-paths.ts";

/** Nested guest calls; each takes a frame of the host's stack. */
const MAX_DEPTH = 100;
/** The table of regions in a module of them. */
const REGIONS = 0;

/** Bits of the instructions retired in a place to leave at. */
const RETIRED_BITS = 17;

/** One constant instead of three: ways out are many. Offset in the page, instructions retired and outcome, from the top. */
const placeToLeave = (outcome: number, pageOffset: number, retired: number): Code =>
  i64((((BigInt(pageOffset) << BigInt(RETIRED_BITS)) | BigInt(retired)) << BigInt(OUTCOME_BITS)) | BigInt(outcome));

const NOTHING = seq();

const vectorOffset = (register: number): number => VECTOR_OFFSET + (register - FIRST_VECTOR) * VECTOR_STRIDE;

export interface JitRuntime extends Omit<Runtime, "access">, FlagFunctions {
  readonly access: ImportedAccess;
  readonly follow: FunctionReference;
  readonly callSystem: FunctionReference;
  readonly slow: SlowPaths;
  /** Index of REGION_TYPE in the module. */
  readonly regionType: number;
}

export interface RegionSetting {
  readonly user: boolean;
  /** 32-bit code in flat segments, not 64-bit code. */
  readonly isFlat: boolean;
  /** Several vCPUs will run the region. */
  readonly shared: boolean;
  /** A link slot for where a computed jump may lead, by its profile and the distance there; 0 if there is none to be had. */
  linkTo(profile: number, distance: number): number;
}

/** A function that a computed call may lead to, and the link slot by which it is called. */
export interface ComputedLink {
  readonly offset: number;
  readonly slot: number;
}

export interface Knowledge {
  readonly flags: FlagKnowledge;
  readonly dirty: number;
  readonly unblocked: number;
  readonly narrow: number;
  readonly pages: KnownPages["knowledge"];
}

export class RegionWriter {
  readonly f: FunctionWriter;
  readonly runtime: JitRuntime;
  /** Address of the privilege area: a constant, for a region belongs to one privilege. */
  readonly area: number;
  /** Distance of the running vCPU's area from that of the first one; absent where there is only one. */
  readonly areaOffset: Local | undefined;
  readonly isFlat: boolean;
  readonly registers: readonly (Local | undefined)[];
  readonly addressRegister: Local;
  readonly base: Local;
  readonly count: Local;
  readonly flags: RegionFlags;
  readonly pages: KnownPages;
  /** Registers (bit n: register n) that may differ from memory at the place being written. */
  dirty = 0;
  /** Slots that are known to be zero there (BLOCKED_SLOTS). */
  unblocked = 0;
  /** General registers whose bits 63..32 are known to be zero there. */
  narrow = 0;
  readonly #dirtySets: readonly number[];
  /** On the ways out that are shared: where the region is left and how (placeToLeave), and what an outcome has beside it. */
  readonly #place: Local;
  readonly #slot: Local;
  /** Of a region called. */
  readonly #outcome: Local;
  readonly #entryOffset: number;
  /** Regions that wait for this one. */
  readonly #depth: Local;
  /** The RIP that the innermost of them waits for. */
  readonly #expected: Local;
  /** Ways out by the registers that they store. */
  readonly #exits = new Map<number, Label>();
  #exitStored: Label | undefined;

  constructor(
    f: FunctionWriter,
    runtime: JitRuntime,
    { user, isFlat, shared }: RegionSetting,
    { used, dirtySets }: RegionRegisters,
    entryOffset: number,
  ) {
    this.f = f;
    this.#depth = f.params[0] as Local;
    this.#expected = f.params[1] as Local;
    this.runtime = runtime;
    this.isFlat = isFlat;
    this.area = user ? AREA.user : AREA.supervisor;
    this.areaOffset = shared ? f.local("i32") : undefined;
    this.registers = Array.from({ length: FIRST_VECTOR + 16 }, (_, n) =>
      used & (1 << n) ? f.local(n < FIRST_VECTOR ? "i64" : "v128") : undefined,
    );
    this.#dirtySets = dirtySets;
    this.addressRegister = f.local("i64");
    this.base = f.local("i64");
    this.count = f.local("i64");
    this.pages = new KnownPages(f);
    this.flags = new RegionFlags(f, runtime);
    this.#place = f.local("i64");
    this.#slot = f.local("i32");
    this.#outcome = f.local("i32");
    this.#entryOffset = entryOffset;
  }

  /** What is known statically at the place being written; to be put back before code for another place is written. */
  get knowledge(): Knowledge {
    return {
      flags: this.flags.knowledge,
      dirty: this.dirty,
      unblocked: this.unblocked,
      narrow: this.narrow,
      pages: this.pages.knowledge,
    };
  }

  set knowledge({ flags, dirty, unblocked, narrow, pages }: Knowledge) {
    this.flags.knowledge = flags;
    this.dirty = dirty;
    this.unblocked = unblocked;
    this.narrow = narrow;
    this.pages.restore(pages);
  }

  // --- frame ----------------------------------------------------------------------------------------------------------------

  /** `live`: registers to be loaded. */
  open(live: number): void {
    const { f } = this;
    this.reload(live)(f);
    if (this.areaOffset) set(this.areaOffset, readCell(CELLS.vcpuOffset))(f);
    set(this.count, readSlot(STATE.instructionCount))(f);
    set(this.base, add64(load("i64.load", i32(0), PSEUDO_REGISTERS.BLOCK_RIP), i64(-this.#entryOffset)))(f);
    this.#exitStored = f.open("block");
    for (const registers of this.#dirtySets.toReversed()) this.#exits.set(registers, f.open("block"));
  }

  close(): void {
    const { f } = this;
    f.emit("unreachable");
    for (const [n, registers] of this.#dirtySets.entries()) {
      f.close(this.#exits.get(registers) as Label);
      // The next one that stores nothing else stores the rest.
      const rest = this.#dirtySets.slice(n + 1).find((other) => (other & ~registers) === 0);
      this.#storeRegisters(registers & ~(rest ?? 0))(f);
      if (rest !== undefined) f.br(this.#exits.get(rest) as Label);
    }
    this.flags.keepDynamic(f);
    f.close(this.#exitStored as Label);
    const place = get(this.#place);
    const retired = and64(shrU64(place, OUTCOME_BITS), i64((1 << RETIRED_BITS) - 1));
    writeSlot(STATE.instructionCount, add64(get(this.count), retired))(f);
    const rip = add64(get(this.base), op("i64.shr_s", place, i64(OUTCOME_BITS + RETIRED_BITS)));
    writeSlot(STATE.rip, this.isFlat ? and64(rip, i64(0xffff_ffffn)) : rip)(f);
    const outcome = and32(wrap(place), i32((1 << OUTCOME_BITS) - 1));
    set(this.#outcome, or32(outcome, get(this.#slot)))(f);
    unlikely(eq32(outcome, i32(OUTCOME.linked)), [this.#leaveStored(get(this.#outcome), OUTCOME.linked)])(f);
    f.get(this.#outcome);
  }

  // --- ways out -------------------------------------------------------------------------------------------------------------

  /** RIP of an offset in the page: of 32 bits outside 64-bit code. */
  ripAt(pageOffset: number): Code {
    if (pageOffset === 0) return get(this.base);
    const rip = add64(get(this.base), i64(pageOffset));
    const isInPage = pageOffset > 0 && pageOffset < PAGE_SIZE;
    return this.isFlat && !isInPage ? and64(rip, i64(0xffff_ffffn)) : rip;
  }

  /** Leaves with `retired` more instructions done, at an offset in the page; not to be followed. */
  leave(outcome: number, pageOffset: number, retired: number): Code {
    return seq(set(this.#place, placeToLeave(outcome, pageOffset, retired)), this.#exit);
  }

  readonly #exit: Code = (w) => {
    this.flags.settleToLeave()(w);
    const shared = this.#exits.get(this.dirty);
    if (!shared) this.#storeRegisters(this.dirty)(w);
    w.br(shared ?? (this.#exits.get(0) as Label));
  };

  /** As leave, in line and with the changed registers only: for the ways that code usually takes. */
  leaveUsually(outcome: number, rip: Code, retired: number): Code {
    return seq(this.#storeForLeaving(rip, retired), this.#leaveStored(i32(outcome), outcome));
  }

  /** The same by a link slot of the block at `blockOffset`. */
  leaveByLink(outcome: number, rip: Code, retired: number, slot: number, blockOffset: number): Code {
    return seq(
      this.#storeForLeaving(rip, retired),
      this.#storePage(blockOffset),
      this.#leaveStored(i32(outcome | (slot << OUTCOME_BITS)), outcome),
    );
  }

  /** The same where that has not happened yet: out of line. `target`: offset of what the slot leads to. */
  leaveByLinkRarely(target: number, retired: number, slot: number, blockOffset: number): Code {
    return seq(
      this.#storePage(blockOffset),
      set(this.#slot, i32(slot << OUTCOME_BITS)),
      this.leave(OUTCOME.linked, target, retired),
    );
  }

  /** By a computed jump that leads elsewhere than expected: its profile, if it has one, is to know. */
  leaveByComputed(rip: Code, retired: number, profile: number, blockOffset: number): Code {
    return seq(
      this.#storeForLeaving(rip, retired),
      this.#storePage(blockOffset),
      this.#leaveStored(i32(OUTCOME.jump | (profile << OUTCOME_BITS)), OUTCOME.jump),
    );
  }

  /** A return goes to the region that has called, if that is where it goes. Else it is a jump: retpolines return to what they call. */
  leaveByReturn(rip: Code, retired: number): Code {
    return seq(
      this.#storeForLeaving(rip, retired),
      when(eq64(rip, get(this.#expected)), [i32(OUTCOME.indirect), op("return")], [], true),
      this.#leaveStored(i32(OUTCOME.jump), OUTCOME.jump),
    );
  }

  /** The system goes where STATE.rip says: back to the user's region that waits behind SYSCALL, if that is where it is. */
  leaveToState(retired: number): Code {
    const rip = readSlot(STATE.rip);
    return seq(
      this.#storeForLeaving(rip, retired),
      when(eq64(op("i64.xor", rip, i64(SYSTEM_CALLER)), get(this.#expected)), [i32(OUTCOME.indirect), op("return")]),
      this.#leaveStored(i32(OUTCOME.state), OUTCOME.state),
    );
  }

  #storeForLeaving(rip: Code, retired: number): Code {
    return seq(
      writeSlot(STATE.rip, rip),
      this.retire(retired),
      this.#storeDirty(),
      this.flags.toMemory(),
      this.storeCount(),
    );
  }

  #leaveStored(code: Code, outcome: number): Code {
    if ((outcome & NOT_TO_FOLLOW) !== 0) return seq(code, op("return"));
    return seq(code, this.#follow);
  }

  /** Tail call with the outcome on the stack. */
  readonly #follow: Code = (w) => {
    w.get(this.#depth);
    w.get(this.#expected);
    w.index("return_call", this.runtime.follow.index);
  };

  /** Leaves by a link slot unless it leads to the block at `address` now, which is in another page. */
  guard(target: number, slot: number, blockOffset: number, address: number): Code {
    const at = (offset: number): Code => load("i32.load", i32(slot), offset);
    const differs = or32(
      xor32(load("i32.load", at(LINK_SLOT.cell)), at(LINK_SLOT.check)),
      xor32(at(LINK_SLOT.block), i32(address)),
    );
    return (w) => {
      const { knowledge } = this;
      unlikely(differs, [this.leaveByLinkRarely(target, 0, slot, blockOffset)])(w);
      this.knowledge = knowledge;
    };
  }

  /** Leaves by a link slot to have an interrupt taken, behind an instruction that may have allowed it; else none is held back any more. */
  leaveIfUnmasked(rip: Code, retired: number, slot: number, blockOffset: number): Code {
    return (w) => {
      const { knowledge } = this;
      unlikely(interruptible, [this.leaveByLink(OUTCOME.checked, rip, retired, slot, blockOffset)])(w);
      this.knowledge = knowledge;
      writeSlot32(STATE.interruptShadow, i32(0))(w);
    };
  }

  /** As leave, where a helper has just run: the state is in memory, the locals are stale. */
  leaveStored(outcome: number, pageOffset: number, retired: number): Code {
    return seq(set(this.#place, placeToLeave(outcome, pageOffset, retired)), (w) => w.br(this.#exitStored as Label));
  }

  /**
   * Calls the guest function at `rip` by a link slot of the block at `blockOffset`. What follows is written for the case that it has
   * returned to `returnOffset`, with all state in memory, of which it loads the registers `live`; else the region ends with the callee's
   * outcome.
   */
  callFunction(
    rip: Code,
    retired: number,
    slot: number,
    blockOffset: number,
    returnOffset: number,
    live: number,
  ): void {
    this.#beforeCall(retired);
    this.#callLinked(rip, this.ripAt(returnOffset), slot, blockOffset);
    this.#afterCall(returnOffset, live);
  }

  /** The same with the function at `target`: by its link if it is among `links`, else by the RIP hash. */
  callComputed(
    target: Local,
    retired: number,
    { profile, links }: { profile: number; links: readonly ComputedLink[] },
    blockOffset: number,
    returnOffset: number,
    live: number,
  ): void {
    const { f } = this;
    const expected = this.ripAt(returnOffset);
    this.#beforeCall(retired);
    block((called) => [
      ...links.map(({ offset, slot }) =>
        when(eq64(get(target), this.ripAt(offset)), [
          () => this.#callLinked(get(target), expected, slot, blockOffset),
          br(called),
        ]),
      ),
      this.#storePage(blockOffset),
      () => this.#callIndirect(get(target), expected, profile),
    ])(f);
    this.#afterCall(returnOffset, live);
  }

  #beforeCall(retired: number): void {
    this.retire(retired)(this.f);
    seq(this.storeCount(), this.#storeDirty(), this.flags.toMemory())(this.f);
  }

  /** The region ends unless the function has returned to `returnOffset`. */
  #afterCall(returnOffset: number, live: number): void {
    const { f } = this;
    const differs = or64(
      extendU(or32(xor32(get(this.#outcome), i32(OUTCOME.indirect)), readCell(CELLS.codeVoided))),
      xor64(readSlot(STATE.rip), this.ripAt(returnOffset)),
    );
    unlikely(ne64(differs, i64(0)), [get(this.#outcome), op("return")])(f);
    this.#takeOver(live);
  }

  /** All state is in memory, left there by whoever ran meanwhile. */
  #takeOver(live: number): void {
    const { f } = this;
    set(this.count, readSlot(STATE.instructionCount))(f);
    this.reload(live)(f);
    this.flags.areInMemory();
    this.dirty = 0;
    this.narrow = 0;
    this.pages.forgetAll();
  }

  /** Lets the system run from STATE.rip on until it returns to `returnOffset`, as callFunction does with a function. */
  callSystem(retired: number, returnOffset: number, live: number): void {
    const { f } = this;
    this.#storeForLeaving(readSlot(STATE.rip), retired)(f);
    unlikely(this.#tooDeep, [i32(OUTCOME.state), op("return")])(f);
    const depth = add32(get(this.#depth), i32(1));
    set(this.#outcome, call(this.runtime.callSystem, depth, this.ripAt(returnOffset)))(f);
    unlikely(ne32(get(this.#outcome), i32(OUTCOME.indirect)), [get(this.#outcome), op("return")])(f);
    this.#takeOver(live);
  }

  get #tooDeep(): Code {
    return op("i32.ge_u", get(this.#depth), i32(MAX_DEPTH));
  }

  #callIndirect(rip: Code, expected: Code, profile: number): void {
    const { f } = this;
    writeSlot(STATE.rip, rip)(f);
    unlikely(this.#tooDeep, [i32(OUTCOME.indirect), op("return")])(f);
    set(
      this.#outcome,
      call(
        this.runtime.follow,
        i32(OUTCOME.jump | (profile << OUTCOME_BITS)),
        add32(get(this.#depth), i32(1)),
        expected,
      ),
    )(f);
  }

  /** In line, so that each call has an indirect branch of its own for the host's predictor. */
  #callLinked(rip: Code, expected: Code, slot: number, blockOffset: number): void {
    const { f } = this;
    const counter = f.borrow("i32");
    const at = (offset: number): Code => load("i32.load", i32(slot), offset);
    block((called) => [
      block((giveUp) => [
        brIf(giveUp, ne32(load("i32.load", at(LINK_SLOT.cell)), at(LINK_SLOT.check)), false),
        set(counter, load("i32.load", sub32(at(LINK_SLOT.block), i32(BLOCK_HEADER_SIZE)), BLOCK_HEADER.counter)),
        brIf(giveUp, op("i32.ge_s", get(counter), i32(0)), false),
        brIf(giveUp, op("i64.ge_u", get(this.count), readSlot(STATE.instructionDeadline)), false),
        brIf(giveUp, this.#tooDeep, false),
        store("i64.store", i32(0), rip, PSEUDO_REGISTERS.BLOCK_RIP),
        set(this.#outcome, (w) => {
          add32(get(this.#depth), i32(1))(w);
          expected(w);
          op("i32.xor", get(counter), i32(-1))(w);
          w.callIndirect(this.runtime.regionType, REGIONS);
        }),
        br(called),
      ]),
      writeSlot(STATE.rip, rip),
      this.#storePage(blockOffset),
      i32(OUTCOME.linked | (slot << OUTCOME_BITS)),
      op("return"),
    ])(f);
    f.release(counter);
  }

  /** The page that a block is in, for whoever fills its link slot. */
  #storePage(blockOffset: number): Code {
    return store("i64.store", i32(0), this.ripAt(blockOffset & -PAGE_SIZE), PSEUDO_REGISTERS.BLOCK_RIP);
  }

  retire(instructions: number): Code {
    return instructions === 0 ? seq() : set(this.count, add64(get(this.count), i64(instructions)));
  }

  /** An exception is pending for the instruction at `pageOffset`. */
  fault(pageOffset: number, retired: number): Code {
    return this.leave(OUTCOME.fault, pageOffset, retired);
  }

  /** Leaves to the interpreter in front of an operation of the block at `blockOffset`: nothing of the block is counted yet. */
  resume(blockOffset: number, operation: number): Code {
    return seq(set(this.#slot, i32(operation << OUTCOME_BITS)), this.leave(OUTCOME.resume, blockOffset, 0));
  }

  /** Leaves in front of the instruction at `pageOffset` if the deadline has come or an interrupt is to be taken. */
  leaveIfInterrupted(pageOffset: number, retired: number): Code {
    const deadline = op("i64.ge_u", get(this.count), readSlot(STATE.instructionDeadline));
    return unlikely(op("i32.or", deadline, interruptible), [this.leave(OUTCOME.state, pageOffset, retired)]);
  }

  // --- state ----------------------------------------------------------------------------------------------------------------

  storeCount(): Code {
    return writeSlot(STATE.instructionCount, get(this.count));
  }

  /** Puts everything into memory, for a helper. */
  spill(): Code {
    return seq(this.storeCount(), this.#storeDirty(), this.flags.settle());
  }

  #storeDirty(): Code {
    return this.#storeRegisters(this.dirty);
  }

  #storeRegisters(registers: number): Code {
    if (registers === 0) return NOTHING;
    return this.#eachOf(registers, (local, n) =>
      n < FIRST_VECTOR
        ? store("i64.store", i32(0), get(local), GPR_OFFSET + n * 8)
        : store("v128.store", i32(0), get(local), vectorOffset(n)),
    );
  }

  /** Takes registers back from memory. */
  reload(registers: number): Code {
    return this.#eachOf(registers, (local, n) =>
      set(
        local,
        n < FIRST_VECTOR ? load("i64.load", i32(0), GPR_OFFSET + n * 8) : load("v128.load", i32(0), vectorOffset(n)),
      ),
    );
  }

  #eachOf(registers: number, code: (local: Local, n: number) => Code): Code {
    return (w) => {
      for (let n = 0; n < this.registers.length; n++) {
        const local = this.registers[n];
        if (local && registers & (1 << n)) code(local, n)(w);
      }
    };
  }
}
