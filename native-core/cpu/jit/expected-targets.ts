// What compiled regions expect of computed jumps and calls, by the profile of each: the link slots by which they go there, and whether
// other regions would expect more of what comes, when they have been led elsewhere for a while.
import type { BlockCache } from "../interpreter/block-cache.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE } from "../interpreter/block-layout.ts";
import { PROFILE, readProfile } from "../interpreter/target-profile.ts";
import { expectedOf } from "./computed-targets.ts";
import type { Region } from "./region.ts";

/** Share of the threshold: times looked at, one in 16 or so, that a jump leads elsewhere before its profile is looked at. */
const PATIENCE = 1 / 16;
/** After each look, patience for the next one is so many times as long. */
const LONGER = 4;
/** Times that regions are made anew because of one jump. */
const MAX_RENEWALS = 4;
/** Share of those times that new targets must have had. */
const WORTH = 1 / 4;

interface Expectation {
  /** Regions that contain the jump, by the address of their first block. */
  readonly regions: Set<number>;
  /** Link slots by distance. */
  readonly links: Map<number, number>;
  isCall: boolean;
  /** Distances of what the newest region goes on with, or calls by a link. */
  expected: ReadonlySet<number>;
  /** Times that each distance had when that region was made. */
  times: ReadonlyMap<number, number>;
  patience: number;
  renewals: number;
}

export class ExpectedTargets {
  readonly #view: DataView;
  readonly #blocks: BlockCache;
  readonly #patience: number;
  /** By the address of the profile. */
  readonly #expectations = new Map<number, Expectation>();

  constructor(memory: ArrayBuffer, blocks: BlockCache, threshold: number) {
    this.#view = new DataView(memory);
    this.#blocks = blocks;
    this.#patience = Math.ceil(threshold * PATIENCE);
  }

  /** The link slot of one target; 0 if there is no room. */
  linkTo(profile: number, distance: number): number {
    const { links } = this.#of(profile);
    const slot = links.get(distance) ?? this.#blocks.addLinkSlot();
    if (slot !== 0) links.set(distance, slot);
    return slot;
  }

  /** A region, entered at `entry`, has been made by what the profiles say now. */
  note(entry: number, { nodes }: Region): void {
    for (const { block, successors } of nodes) {
      if (!block.computed) continue;
      const { profile, isCall, expected } = block.computed;
      const expectation = this.#of(profile);
      expectation.regions.add(entry);
      expectation.isCall = isCall;
      const isReached = (n: number): boolean => isCall || successors.has(`jump ${n}`);
      expectation.expected = new Set(expected.filter((_, n) => isReached(n)).map(({ distance }) => distance));
      this.#startOver(profile, expectation);
    }
  }

  /** A profile's time has come (PROFILE.untilTold): regions that are to be made anew, by the address of their first block. */
  toRenew(profile: number): readonly number[] {
    const expectation = this.#expectations.get(profile);
    if (!expectation) return [];
    const { expected, times, patience, isCall } = expectation;
    const now = readProfile(this.#view, profile);
    const timesNow = new Map(now.targets.map((target) => [target.distance, target.times]));
    const gained = expectedOf(now, isCall)
      .filter(({ distance }) => !expected.has(distance))
      .reduce((sum, { distance }) => sum + (timesNow.get(distance) ?? 0) - (times.get(distance) ?? 0), 0);
    expectation.patience *= LONGER;
    this.#startOver(profile, expectation);
    if (gained < patience * WORTH || expectation.renewals++ >= MAX_RENEWALS) return [];
    const regions = [...expectation.regions];
    expectation.regions.clear();
    return regions;
  }

  /** A block is void, or all are. */
  drop(address: number | undefined): void {
    if (address === undefined) return this.#expectations.clear();
    // Its profile would be behind it.
    const size = this.#view.getInt32(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.size, true);
    this.#expectations.delete(address + size);
  }

  #of(profile: number): Expectation {
    const known = this.#expectations.get(profile);
    if (known) return known;
    const expectation: Expectation = {
      regions: new Set(),
      links: new Map(),
      isCall: false,
      expected: new Set(),
      times: new Map(),
      patience: this.#patience,
      renewals: 0,
    };
    this.#expectations.set(profile, expectation);
    return expectation;
  }

  #startOver(profile: number, expectation: Expectation): void {
    const { targets } = readProfile(this.#view, profile);
    expectation.times = new Map(targets.map(({ distance, times }) => [distance, times]));
    const patience = expectation.renewals > MAX_RENEWALS ? 0 : expectation.patience;
    this.#view.setInt32(profile + PROFILE.untilTold, patience, true);
  }
}
