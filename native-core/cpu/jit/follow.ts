// From one region to the next without the dispatcher. A region that ends in a direct exit or an indirect jump tail-calls `follow`; a
// region that calls a guest function calls `callRegion`, which does the same and comes back with the callee's outcome: if that is a
// return to where the caller expects it, the caller goes on in its own code.
import {
  add32,
  and32,
  type Code,
  call,
  eq32,
  eq64,
  get,
  i32,
  load,
  op,
  ret,
  select,
  set,
  shrU32,
  store,
  sub32,
  tee,
  unlikely,
  when,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE, LINK_SLOT } from "../interpreter/block-layout.ts";
import { BLOCK_RIP, ripHashOffset } from "../interpreter/blocks.ts";
import { readCell, readSlot, writeCell } from "../mmu/cells.ts";
import { AREA, CELLS, RIP_HASH } from "../mmu/memory-layout.ts";
import { OUTCOME, OUTCOME_BITS } from "./outcome.ts";

/** Nested guest calls; each takes a frame of the host's stack. */
const MAX_DEPTH = 100;

export interface FollowFunctions {
  /** (outcome: i32) -> i32: runs what the outcome leads to if it is compiled; else yields an outcome for the dispatcher. */
  readonly follow: FunctionReference;
  /** As follow, counting the depth. */
  readonly callRegion: FunctionReference;
}

export function defineFollow(module: ModuleWriter, table: number, regionType: number, area: number): FollowFunctions {
  const follow = module.declare("follow", ["i32"], ["i32"]);
  const callRegion = module.declare("callRegion", ["i32"], ["i32"]);
  writeFollow(module, follow, table, regionType, area);
  const f = module.define(callRegion);
  const [outcome] = f.params as [Local];
  const depth = f.local("i32");
  unlikely(op("i32.ge_u", tee(depth, readCell(CELLS.regionDepth)), i32(MAX_DEPTH)), [
    // The dispatcher knows no jumps.
    ret(select(get(outcome), i32(OUTCOME.indirect), get(outcome))),
  ])(f);
  writeCell(CELLS.regionDepth, add32(get(depth), i32(1)))(f);
  set(outcome, call(follow, get(outcome)))(f);
  writeCell(CELLS.regionDepth, get(depth))(f);
  get(outcome)(f);
  return { follow, callRegion };
}

function writeFollow(
  module: ModuleWriter,
  reference: FunctionReference,
  table: number,
  regionType: number,
  area: number,
): void {
  const f = module.define(reference);
  const [outcome] = f.params as [Local];
  const slot = f.local("i32");
  const counter = f.local("i32");
  const rip = f.local("i64");
  const isJump = op("i32.eqz", and32(get(outcome), i32((1 << OUTCOME_BITS) - 1)));
  const giveUp = [ret(get(outcome))];
  const counterOf = (block: Code): Code => load("i32.load", sub32(block, i32(BLOCK_HEADER_SIZE)), BLOCK_HEADER.counter);
  const validCell = (base: Local, cell: number, check: number): Code =>
    eq32(load("i32.load", load("i32.load", get(base), cell)), load("i32.load", get(base), check));

  set(rip, readSlot(STATE.rip))(f);
  when(
    isJump,
    [
      set(outcome, i32(OUTCOME.indirect)),
      set(
        slot,
        add32((w) => w.index("global.get", area), ripHashOffset(get(rip), get(rip))),
      ),
      unlikely(
        op(
          "i32.eqz",
          and32(
            eq64(load("i64.load", get(slot), AREA.ripHash + RIP_HASH.rip), get(rip)),
            validCell(slot, AREA.ripHash + RIP_HASH.cell, AREA.ripHash + RIP_HASH.check),
          ),
        ),
        giveUp,
      ),
      unlikely(op("i32.eqz", tee(slot, load("i32.load", get(slot), AREA.ripHash + RIP_HASH.block))), giveUp),
    ],
    [
      set(slot, shrU32(get(outcome), OUTCOME_BITS)),
      unlikely(op("i32.eqz", validCell(slot, LINK_SLOT.cell, LINK_SLOT.check)), giveUp),
      set(slot, load("i32.load", get(slot), LINK_SLOT.block)),
    ],
  )(f);
  unlikely(op("i32.ge_s", tee(counter, counterOf(get(slot))), i32(0)), giveUp)(f);
  unlikely(op("i64.ge_u", readSlot(STATE.instructionCount), readSlot(STATE.instructionDeadline)), giveUp)(f);
  store("i64.store", i32(0), get(rip), BLOCK_RIP)(f);
  op("i32.xor", get(counter), i32(-1))(f);
  f.index("return_call_indirect", regionType, table);
}
