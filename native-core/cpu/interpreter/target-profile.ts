// Where computed jumps and calls lead: for each block that ends in one, a profile behind its trailer (block-layout.ts), filled by the
// interpreter and by compiled code that is led elsewhere than it expects (cpu/jit/follow.ts). Compiled code that is led where it expects
// does not come here.
//
//    0  i32 times that are not looked at before the next one that is
//    4  i32 times looked at
//    8  i32 of those, until the JIT is told; 0: it is not
//   12  i32 size of the entries in bytes
//   16  entries of 12 bytes: distance from the page that the jump is in, block there, times; those without times are at the end
//
// With all entries in use, a new target takes the place of the rarest one and its times too (Metwally, Agrawal, El Abbadi: Efficient
// Computation of Frequent and Top-k Elements in Data Streams), so that what becomes frequent later gets in.
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
  get,
  i32,
  i64,
  load,
  loop,
  not32,
  op,
  ret,
  select,
  set,
  shrU32,
  store,
  sub32,
  sub64,
  tee,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { PAGE_SIZE } from "../mmu/memory-layout.ts";
import { LINK_SLOT, TAKEN_SLOT } from "./block-layout.ts";
import { readBlockRip } from "./blocks.ts";

export const PROFILE = { skipped: 0, samples: 4, untilTold: 8, size: 12, entries: 16 } as const;
export const PROFILE_ENTRY = { distance: 0, block: 4, times: 8, size: 12 } as const;

/** Targets that are told apart: of a jump, which may be a switch, and of a call. */
export const PROFILED_TARGETS = { jump: 16, call: 4 } as const;

export const profileSize = (targets: number): number => PROFILE.entries + targets * PROFILE_ENTRY.size;

/** Each of the first times is looked at; then fewer and fewer, at most one in 16 or so, at uneven distances. */
const EACH = 64;
const RAREST = 16;
/** Beyond that, compiled code could not express the distance. */
const DISTANCE_BITS = 30;

/** Defines (profile: i32, block: i32, rip: i64): a jump of the page that BLOCK_RIP is in leads to `block` at `rip`, and it is time to look. */
export function defineNoteTarget(module: ModuleWriter, targetsMissed: FunctionReference): FunctionReference {
  const reference = module.declare("noteTarget", ["i32", "i32", "i64"]);
  const f = module.define(reference);
  const [profile, found, rip] = f.params as [Local, Local, Local];
  const samples = f.local("i32");
  const distance = f.local("i64");
  const entry = f.local("i32");
  const end = f.local("i32");
  const rarest = f.local("i32");
  const left = f.local("i32");
  const word = (base: Local, offset: number): Code => load("i32.load", get(base), offset);
  const put = (base: Local, offset: number, value: Code): Code => store("i32.store", get(base), value, offset);
  const times = (base: Local): Code => word(base, PROFILE_ENTRY.times);
  const isOf = eq32(word(entry, PROFILE_ENTRY.distance), wrap(get(distance)));

  put(profile, PROFILE.samples, tee(samples, add32(word(profile, PROFILE.samples), i32(1))))(f);
  const rate = shrU32(get(samples), Math.log2(EACH));
  const pause = select(op("i32.gt_u", rate, i32(RAREST)), i32(RAREST), rate);
  when(op("i32.ge_u", get(samples), i32(EACH)), [
    put(profile, PROFILE.skipped, add32(pause, and32(get(samples), i32(3)))),
  ])(f);
  set(distance, sub64(get(rip), and64(readBlockRip, i64(-PAGE_SIZE))))(f);
  const biased = add64(get(distance), i64(2 ** DISTANCE_BITS));
  unlikely(op("i64.ge_u", biased, i64(2 ** (DISTANCE_BITS + 1))), [ret()])(f);
  set(entry, tee(rarest, add32(get(profile), i32(PROFILE.entries))))(f);
  set(end, add32(get(entry), word(profile, PROFILE.size)))(f);
  block((done) => [
    loop((next) => [
      when(not32(times(entry)), [set(rarest, get(entry)), br(done)]),
      when(isOf, [set(rarest, get(entry)), br(done)]),
      when(op("i32.lt_s", times(entry), times(rarest)), [set(rarest, get(entry))]),
      set(entry, add32(get(entry), i32(PROFILE_ENTRY.size))),
      brIf(next, op("i32.lt_u", get(entry), get(end))),
    ]),
  ])(f);
  put(rarest, PROFILE_ENTRY.distance, wrap(get(distance)))(f);
  put(rarest, PROFILE_ENTRY.block, get(found))(f);
  put(rarest, PROFILE_ENTRY.times, add32(times(rarest), i32(1)))(f);
  when(tee(left, word(profile, PROFILE.untilTold)), [
    put(profile, PROFILE.untilTold, tee(left, sub32(get(left), i32(1)))),
    when(not32(get(left)), [call(targetsMissed, get(profile))]),
  ])(f);
  return reference;
}

/** Looks at a jump to `block` at `rip` if it is time to; `profile` is not 0. */
export function profileTarget(note: FunctionReference, profile: Local, left: Local, target: Local, rip: Local): Code {
  return (w) => {
    set(left, sub32(load("i32.load", get(profile), PROFILE.skipped), i32(1)))(w);
    store("i32.store", get(profile), get(left), PROFILE.skipped)(w);
    unlikely(op("i32.lt_s", get(left), i32(0)), [call(note, get(profile), get(target), get(rip))])(w);
  };
}

/** The profile of a block by the address of its last operation; 0 if that is no computed jump, or the block is void. */
export const profileOf = (lastOperation: Code): Code => load("i32.load", lastOperation, TAKEN_SLOT + LINK_SLOT.block);

// --- as the JIT reads it ------------------------------------------------------------------------------------------------------

export interface ProfiledTarget {
  /** From the page that the jump is in. */
  readonly distance: number;
  /** Address of the block that was there last. */
  readonly block: number;
  readonly times: number;
}

export interface TargetProfile {
  readonly samples: number;
  /** Most frequent first. */
  readonly targets: readonly ProfiledTarget[];
}

export function readProfile(view: DataView, profile: number): TargetProfile {
  const word = (at: number): number => view.getInt32(at, true);
  const first = profile + PROFILE.entries;
  const targets: ProfiledTarget[] = [];
  for (let at = first; at < first + word(profile + PROFILE.size); at += PROFILE_ENTRY.size) {
    const times = word(at + PROFILE_ENTRY.times);
    if (times === 0) break;
    const [distance, block] = [word(at + PROFILE_ENTRY.distance), word(at + PROFILE_ENTRY.block)];
    targets.push({ distance, block, times });
  }
  return { samples: word(profile + PROFILE.samples), targets: targets.sort((a, b) => b.times - a.times) };
}
