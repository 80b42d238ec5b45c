// The dispatch function: a loop around one big br_table, with a handler for each frequent form in line, and the tails that end a block.
//
//   loop dispatch
//     br_table handler(pc)        every handler ends in pc += 16, or in one of the exits
//     enter     the block is compiled: call its region (cpu/jit), then go on as its outcome says
//     outlined  rare and large handlers are functions of their own
//     checked   a block end that may have enabled interrupts
//     linked    a block end with a direct target
//     state     RIP and mode were changed by a helper
//     indirect  a block end with a computed target
//     probe     find the block for `target`
//     repeat    the same operation again
//     fault     an exception is pending: leave
//
// WebAssembly has no on-stack replacement: `run` must return now and then for optimized code to be entered. The deadline sees to it.
import {
  add32,
  add64,
  and32,
  type Code,
  call,
  eq32,
  eq64,
  extendU,
  get,
  i32,
  i64,
  load,
  not32,
  op,
  ret,
  seq,
  set,
  shl32,
  shrU32,
  store,
  sub32,
  sub64,
  tee,
  unlikely,
  when,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Label, Local } from "../../wasm/types.ts";
import { OPERATION_SIZE } from "../../x86/operation.ts";
import { STATE } from "../../x86/state-layout.ts";
import { settleIfKept } from "../jit/flag-forms.ts";
import { flatSegments } from "../jit/flat-segments.ts";
import { REGION_TYPE } from "../jit/linkage.ts";
import { NO_RETURN } from "../jit/outcome.ts";
import { addToCell64, interruptible, readSlot, readSlot32, writeCell, writeSlot, writeSlot32 } from "../mmu/cells.ts";
import { AREA, CELLS, COUNTERS, RIP_HASH } from "../mmu/memory-layout.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, INSTRUCTION_COUNT, LINK_SLOT } from "./block-layout.ts";
import { BLOCK_RIP, type BlockFunctions, privilegeArea, ripHashOffset } from "./blocks.ts";
import { enterHandler } from "./handler-table.ts";
import { OUTCOME } from "./outcome.ts";
import type { LoweringTarget, Runtime } from "./target.ts";
import { profileOf, profileTarget } from "./target-profile.ts";

/** Where the instructions of a block have been counted already: a last operation with a zero where others have their number. */
const NO_BLOCK = CELLS.zero - INSTRUCTION_COUNT;

/** What `run` returns. */
export const RUN_RESULT = { leave: 0, exception: 1 } as const;

export interface OutcomeGlobals {
  readonly target: number;
  readonly slot: number;
  readonly area: number;
}

/** A handler written into the dispatch function. */
export interface InlineHandler {
  /** Its exits belong to the operation behind it. */
  readonly fused: boolean;
  readonly stores: boolean;
  readonly write: (target: LoweringTarget) => void;
}

/** How compiled regions are found and asked for (cpu/jit), and what they expect of computed jumps (target-profile.ts). */
export interface RegionLinkage {
  readonly table: number;
  readonly settleFlags: FunctionReference;
  readonly hotBlock: FunctionReference;
  readonly noteTarget: FunctionReference;
}

const exitCounter = (outcome: Local): Code => shl32(and32(get(outcome), i32(7)), 3);

/** `handlers[n]`: the inline handler of number n, or several for operations in a row, or undefined where it is outlined (table slot n). */
export function writeDispatch(
  module: ModuleWriter,
  reference: FunctionReference,
  blocks: BlockFunctions,
  runtime: Runtime,
  globals: OutcomeGlobals,
  handlers: readonly (readonly InlineHandler[] | undefined)[],
  resyncHandler: number,
  regions: RegionLinkage,
): void {
  const f = module.define(reference);
  const pc = f.local("i32");
  const area = f.local("i32");
  const slot = f.local("i32");
  const target = f.local("i64");
  const count = f.local("i64");
  const outcome = f.local("i32");
  const from = f.local("i32");
  const outlinedType = module.typeIndex({ params: ["i32"], results: ["i32"] });

  const setArea = seq(set(area, privilegeArea), get(area), (w) => w.index("global.set", globals.area));
  const setBlockRip: Code = (w) => {
    w.i32(0);
    w.get(target);
    w.access("i64.store", 0, BLOCK_RIP);
  };
  const leave = ret(i32(RUN_RESULT.leave));
  const counter = sub32(get(pc), i32(BLOCK_HEADER_SIZE));
  /** Counts an execution of the block at `pc`. */
  const countEntry = when(op("i32.gt_s", tee(outcome, load("i32.load", counter, BLOCK_HEADER.counter)), i32(0)), [
    store("i32.store", counter, tee(outcome, sub32(get(outcome), i32(1))), BLOCK_HEADER.counter),
    unlikely(not32(get(outcome)), [call(regions.hotBlock, get(pc))]),
  ]);
  /** Adds what the block has retired; leaves at `target` when the deadline has come. */
  const retire = seq(
    writeSlot(
      STATE.instructionCount,
      tee(count, add64(readSlot(STATE.instructionCount), extendU(load("i32.load", get(pc), INSTRUCTION_COUNT)))),
    ),
    unlikely(op("i64.ge_u", get(count), readSlot(STATE.instructionDeadline)), [
      writeSlot(STATE.rip, get(target)),
      leave,
    ]),
  );
  setArea(f);
  set(target, readSlot(STATE.rip))(f);
  unlikely(op("i32.eqz", tee(pc, call(blocks.lookUp, get(target)))), [ret(i32(RUN_RESULT.exception))])(f);
  setBlockRip(f);
  countEntry(f);

  const dispatch = f.open("loop");
  const fault = f.open("block");
  const repeat = f.open("block");
  const probe = f.open("block");
  const indirect = f.open("block");
  const state = f.open("block");
  const linked = f.open("block");
  const checked = f.open("block");
  const outlined = f.open("block");
  const enter = f.open("block");
  const resync = f.open("block");

  const jump = (label: Label, ...before: readonly Code[]): Code => seq(...before, (w) => w.br(label));
  const inlineTarget: LoweringTarget = {
    f,
    runtime,
    operation: pc,
    area: get(area),
    exits: {
      linked: (to, offset, isChecked) =>
        jump(isChecked ? checked : linked, set(target, to), set(slot, add32(get(pc), i32(offset)))),
      indirect: (to) => jump(indirect, set(target, to)),
      state: () => jump(state),
      repeat: () => jump(repeat),
      fault: () => jump(fault),
    },
  };
  const advance = seq(set(pc, add32(get(pc), i32(OPERATION_SIZE))), (w) => w.br(dispatch));

  writeHandlers(f, handlers, inlineTarget, pc, { dispatch, outlined, resync, enter }, resyncHandler, advance);
  f.close(resync);
  // The page of this block was written: go on in a fresh translation.
  call(blocks.leaveAt, get(pc))(f);
  set(target, readSlot(STATE.rip))(f);
  set(from, i32(NO_BLOCK))(f);
  f.br(probe);

  f.close(enter);
  unlikely(op("i32.ne", readSlot32(STATE.codeMode), i32(8)), [
    unlikely(not32(flatSegments), [call(regions.hotBlock, get(pc)), (w) => w.br(dispatch)]),
  ])(f);
  writeCell(CELLS.codeVoided, i32(0))(f);
  set(count, readSlot(STATE.instructionCount))(f);
  set(outcome, (w) => {
    w.i32(0);
    w.i64(NO_RETURN);
    op("i32.xor", load("i32.load", counter, BLOCK_HEADER.counter), i32(-1))(w);
    w.callIndirect(module.typeIndex(REGION_TYPE), regions.table);
  })(f);
  // It may have left with another privilege.
  setArea(f);
  settleIfKept(regions.settleFlags)(f);
  addToCell64(COUNTERS.compiledInstructions, sub64(readSlot(STATE.instructionCount), get(count)))(f);
  set(target, load("i64.load", exitCounter(outcome), COUNTERS.exits))(f);
  store("i64.store", exitCounter(outcome), add64(get(target), i64(1)), COUNTERS.exits)(f);
  unlikely(eq32(get(outcome), i32(OUTCOME.fault)), [ret(i32(RUN_RESULT.exception))])(f);
  set(target, readSlot(STATE.rip))(f);
  set(slot, shrU32(get(outcome), 3))(f);
  unlikely(eq32(tee(outcome, and32(get(outcome), i32(7))), i32(OUTCOME.resume)), [
    set(pc, get(slot)),
    setBlockRip,
    // In front of the block's first operation, which is to be interpreted now.
    unlikely(eq32(load("i32.load16_u", get(pc)), i32(enterHandler({ resync: resyncHandler }))), [
      call(regions.hotBlock, get(pc)),
    ]),
    (w) => w.br(dispatch),
  ])(f);
  // The region has counted its instructions: the tails find a zero where a block has its number.
  set(pc, i32(NO_BLOCK))(f);
  get(outcome)(f);
  // In the place of `repeat`: jit/outcome.ts.
  const elsewhere = indirect;
  f.brTable([dispatch, fault, linked, checked, indirect, state, elsewhere]);

  f.close(outlined);
  set(outcome, (w) => {
    w.get(pc);
    w.get(pc);
    w.access("i32.load16_u", 0, 0);
    w.callIndirect(outlinedType, 0);
  })(f);
  when(op("i32.eqz", get(outcome)), [advance])(f);
  f.index("global.get", globals.target);
  f.set(target);
  f.index("global.get", globals.slot);
  f.set(slot);
  f.get(outcome);
  f.brTable([dispatch, fault, linked, checked, indirect, state, repeat]);

  f.close(checked);
  unlikely(interruptible, [
    writeSlot(
      STATE.instructionCount,
      add64(readSlot(STATE.instructionCount), extendU(load("i32.load", get(pc), INSTRUCTION_COUNT))),
    ),
    writeSlot(STATE.rip, get(target)),
    leave,
  ])(f);
  // Nothing waits, so nothing has to be kept waiting for one instruction more.
  writeSlot32(STATE.interruptShadow, i32(0))(f);

  f.close(linked);
  retire(f);
  when(
    eq32(load("i32.load", load("i32.load", get(slot), LINK_SLOT.cell)), load("i32.load", get(slot), LINK_SLOT.check)),
    [set(pc, load("i32.load", get(slot), LINK_SLOT.block))],
    [unlikely(op("i32.eqz", tee(pc, call(blocks.link, get(slot), get(target)))), [ret(i32(RUN_RESULT.exception))])],
    true,
  )(f);
  setBlockRip(f);
  countEntry(f);
  f.br(dispatch);

  f.close(state);
  setArea(f);
  set(target, readSlot(STATE.rip))(f);
  retire(f);
  unlikely(interruptible, [leave])(f);
  writeSlot32(STATE.interruptShadow, i32(0))(f);
  set(from, i32(NO_BLOCK))(f);
  f.br(probe);

  f.close(indirect);
  retire(f);
  set(from, get(pc))(f);

  f.close(probe);
  const isJump = and32(op("i32.ne", get(from), i32(NO_BLOCK)), op("i32.ne", tee(slot, profileOf(get(from))), i32(0)));
  writeProbe(f, blocks, target, area, slot, pc, [
    when(isJump, [profileTarget(regions.noteTarget, slot, outcome, pc, target)]),
  ]);
  setBlockRip(f);
  countEntry(f);
  f.br(dispatch);

  f.close(repeat);
  // Every round counts as an instruction, so that the deadline also ends a long REP.
  writeSlot(
    STATE.instructionCount,
    tee(
      count,
      add64(readSlot(STATE.instructionCount), (w) => w.i64(1n)),
    ),
  )(f);
  unlikely(op("i32.or", op("i64.ge_u", get(count), readSlot(STATE.instructionDeadline)), interruptible), [
    call(blocks.leaveAt, get(pc)),
    leave,
  ])(f);
  f.br(dispatch);

  f.close(fault);
  call(blocks.leaveAt, get(pc))(f);
  ret(i32(RUN_RESULT.exception))(f);
  f.close(dispatch);
  op("unreachable")(f);
}

function writeHandlers(
  f: FunctionWriter,
  handlers: readonly (readonly InlineHandler[] | undefined)[],
  target: LoweringTarget,
  pc: Local,
  { dispatch, outlined, resync, enter }: { dispatch: Label; outlined: Label; resync: Label; enter: Label },
  resyncHandler: number,
  advance: Code,
): void {
  const toNext = set(pc, add32(get(pc), i32(OPERATION_SIZE)));
  const fusedTarget: LoweringTarget = {
    ...target,
    exits: { ...target.exits, linked: (to, slot, checked) => seq(toNext, target.exits.linked(to, slot, checked)) },
  };
  const labels: (Label | undefined)[] = [];
  for (const handler of handlers.toReversed()) labels.unshift(handler ? f.open("block") : undefined);
  const targets = labels.map((label, number) => label ?? (number === resyncHandler ? resync : outlined));
  load("i32.load16_u", get(pc))(f);
  f.brTable([...targets, enter, resync]);
  handlers.forEach((handler, number) => {
    const label = labels[number];
    if (!handler || !label) return;
    f.close(label);
    handler.forEach((part, n) => {
      if (n > 0) {
        toNext(f);
        // A store may have voided the block: what is behind it must not be executed then.
        if (handler[n - 1]?.stores)
          unlikely(eq32(load("i32.load16_u", get(pc)), i32(resyncHandler)), [(w) => w.br(dispatch)])(f);
      }
      part.write(part.fused ? fusedTarget : target);
    });
    advance(f);
  });
}

/** Leaves the block for `target` in `pc`: the RIP hash in line, then `found`; the rest in lookUp, which may empty the block cache. */
function writeProbe(
  f: FunctionWriter,
  blocks: BlockFunctions,
  target: Local,
  area: Local,
  entry: Local,
  pc: Local,
  found: readonly Code[],
): void {
  const at = (offset: number): number => AREA.ripHash + offset;
  set(entry, add32(get(area), ripHashOffset(get(target), get(target))))(f);
  when(
    and32(
      eq64(load("i64.load", get(entry), at(RIP_HASH.rip)), get(target)),
      eq32(
        load("i32.load", load("i32.load", get(entry), at(RIP_HASH.cell))),
        load("i32.load", get(entry), at(RIP_HASH.check)),
      ),
    ),
    [set(pc, load("i32.load", get(entry), at(RIP_HASH.block))), ...found],
    [unlikely(op("i32.eqz", tee(pc, call(blocks.lookUp, get(target)))), [ret(i32(RUN_RESULT.exception))])],
    true,
  )(f);
}
