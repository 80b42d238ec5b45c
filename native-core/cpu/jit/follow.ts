// From one region to the next without the dispatcher: a region that ends in a direct exit or an indirect jump tail-calls `follow`. A jump
// may come with its profile (interpreter/target-profile.ts): it leads elsewhere than compiled code expects.
import {
  add32,
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
  ne32,
  ne64,
  not32,
  op,
  or32,
  or64,
  ret,
  seq,
  set,
  shrU32,
  store,
  sub32,
  tee,
  unlikely,
  when,
  xor32,
  xor64,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, LINK_SLOT } from "../interpreter/block-layout.ts";
import { BLOCK_RIP, privilegeArea, ripHashOffset } from "../interpreter/blocks.ts";
import { profileTarget } from "../interpreter/target-profile.ts";
import { interruptible, readCell, readSlot, readSlot32, writeSlot32 } from "../mmu/cells.ts";
import { AREA, CELLS, RIP_HASH } from "../mmu/memory-layout.ts";
import { OUTCOME, OUTCOME_BITS, SYSTEM_CALLER } from "./outcome.ts";

/** Defines (outcome: i32, depth: i32, expected: i64) -> i32 (the latter two as a region's): runs what the outcome leads to if it is compiled; else yields an outcome for the dispatcher. */
export function defineFollow(
  module: ModuleWriter,
  table: number,
  regionType: number,
  area: number,
  noteTarget: FunctionReference,
): FunctionReference {
  const reference = module.declare("follow", ["i32", "i32", "i64"], ["i32"]);
  const f = module.define(reference);
  const [outcome, depth, expected] = f.params as [Local, Local, Local];
  const slot = f.local("i32");
  const counter = f.local("i32");
  const profile = f.local("i32");
  const rip = f.local("i64");
  const isJump = op("i32.eqz", and32(get(outcome), i32((1 << OUTCOME_BITS) - 1)));
  const giveUp = [ret(get(outcome))];
  const counterOf = (block: Code): Code => load("i32.load", sub32(block, i32(BLOCK_HEADER_SIZE)), BLOCK_HEADER.counter);
  const isVoid = (base: Local, cell: number, check: number): Code =>
    xor32(load("i32.load", load("i32.load", get(base), cell)), load("i32.load", get(base), check));

  set(rip, readSlot(STATE.rip))(f);
  when(
    isJump,
    [
      set(profile, shrU32(get(outcome), OUTCOME_BITS)),
      set(outcome, i32(OUTCOME.indirect)),
      set(
        slot,
        add32((w) => w.index("global.get", area), ripHashOffset(get(rip), get(rip))),
      ),
      unlikely(
        ne64(
          or64(
            xor64(load("i64.load", get(slot), AREA.ripHash + RIP_HASH.rip), get(rip)),
            extendU(isVoid(slot, AREA.ripHash + RIP_HASH.cell, AREA.ripHash + RIP_HASH.check)),
          ),
          i64(0),
        ),
        giveUp,
      ),
      unlikely(op("i32.eqz", tee(slot, load("i32.load", get(slot), AREA.ripHash + RIP_HASH.block))), giveUp),
      when(get(profile), [profileTarget(noteTarget, profile, counter, slot, rip)]),
    ],
    [
      set(slot, shrU32(get(outcome), OUTCOME_BITS)),
      unlikely(isVoid(slot, LINK_SLOT.cell, LINK_SLOT.check), giveUp),
      set(slot, load("i32.load", get(slot), LINK_SLOT.block)),
    ],
  )(f);
  unlikely(op("i32.ge_s", tee(counter, counterOf(get(slot))), i32(0)), giveUp)(f);
  unlikely(op("i64.ge_u", readSlot(STATE.instructionCount), readSlot(STATE.instructionDeadline)), giveUp)(f);
  store("i64.store", i32(0), get(rip), BLOCK_RIP)(f);
  get(depth)(f);
  get(expected)(f);
  op("i32.xor", get(counter), i32(-1))(f);
  f.index("return_call_indirect", regionType, table);
  return reference;
}

const USER_LEVEL = 3;
const CODE_MODE_64 = 8;

/**
 * Defines (depth: i32, expected: i64) -> i32: user code has executed SYSCALL and waits at `expected`. Yields `indirect` if the system has
 * come back there, with nothing changed that the user's region relies on: privilege and mode, its pages, its code. Only this leads from one
 * privilege to another while regions wait: what the system returns to otherwise finds none of them.
 */
export function defineCallSystem(module: ModuleWriter, follow: FunctionReference, area: number): FunctionReference {
  const reference = module.declare("callSystem", ["i32", "i64"], ["i32"]);
  const f = module.define(reference);
  const [depth, expected] = f.params as [Local, Local];
  const generation = f.local("i32");
  const outcome = f.local("i32");
  const setArea: Code = seq(privilegeArea, (w) => w.index("global.set", area));
  const isOver = op("i64.ge_u", readSlot(STATE.instructionCount), readSlot(STATE.instructionDeadline));
  // The end of an instruction that changes the system: as in the dispatcher.
  const mustStop = or32(isOver, interruptible);
  const allow = writeSlot32(STATE.interruptShadow, i32(0));

  unlikely(mustStop, [ret(i32(OUTCOME.state))])(f);
  allow(f);
  setArea(f);
  set(generation, readCell(CELLS.localGeneration))(f);
  const tagged = op("i64.xor", get(expected), i64(SYSTEM_CALLER));
  set(outcome, call(follow, i32(OUTCOME.jump), get(depth), tagged))(f);
  setArea(f);
  unlikely(ne32(get(outcome), i32(OUTCOME.indirect)), [ret(get(outcome))])(f);
  unlikely(ne32(readSlot32(STATE.cpl), i32(USER_LEVEL)), [ret(i32(OUTCOME.elsewhere))])(f);
  const isSame = and32(
    and32(eq32(readCell(CELLS.localGeneration), get(generation)), eq64(readSlot(STATE.rip), get(expected))),
    and32(eq32(readSlot32(STATE.codeMode), i32(CODE_MODE_64)), not32(readCell(CELLS.codeVoided))),
  );
  unlikely(or32(not32(isSame), mustStop), [ret(i32(OUTCOME.state))])(f);
  allow(f);
  i32(OUTCOME.indirect)(f);
  return reference;
}
