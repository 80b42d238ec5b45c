// What compiled regions expect of computed jumps and calls, by the profile of each: the link slots by which they go there, and whether
// other regions would expect more of what comes, when they have been led elsewhere for a while.
import type { BlockCache } from "../interpreter/block-cache.ts";
import { BLOCK_HEADER, BLOCK_HEADER_SIZE } from "../interpreter/block-layout.ts";
import { PROFILE, readProfile } from "../interpreter/target-profile.ts";
import { expectedOf } from "./computed-targets.ts";
import type { Region } from "./region.ts";

/** Share of the threshold: times looked at, one in 16 or so, that a jump leads elsewhere before its profile is looked at. */
const PATIENCE = 1 / 2;
/** After each look, patience for the next one is so many times as long. */
const LONGER = 4;
/** Times that regions are made anew because of one jump. */
const MAX_RENEWALS = 4;
/** Share of those times that new targets must have had. */
const WORTH = 1 / 4;

interface Expectation {
  /** Regions that contain the jump, by the address of their first block: distances of what they go on with, or call by a link. */
  readonly regions: Map<number, ReadonlySet<number>>;
  /** Link slots by distance. */
  readonly links: Map<number, number>;
  isCall: boolean;
  /** Times that each distance had when patience began. */
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
      const isReached = (n: number): boolean => isCall || successors.has(`way ${n}`);
      const reached = expected.filter((_, n) => isReached(n)).map(({ distance }) => distance);
      expectation.regions.set(entry, new Set(reached));
      expectation.isCall = isCall;
      this.#startOver(profile, expectation);
    }
  }

  /** A profile's time has come (PROFILE.untilTold): the region that is to be made anew, by the address of its first block. */
  toRenew(profile: number): number | undefined {
    const expectation = this.#expectations.get(profile);
    if (!expectation) return undefined;
    const { regions, times, patience, isCall } = expectation;
    const expected = expectedOf(readProfile(this.#view, profile), isCall);
    const gain = (reached: ReadonlySet<number>): number =>
      expected
        .filter(({ distance }) => !reached.has(distance))
        .reduce((sum, target) => sum + target.times - (times.get(target.distance) ?? 0), 0);
    // One at a time: regions with the same jump have much else in common, and it may be all that is entered from now on.
    const outdated = [...regions].find(([, reached]) => gain(reached) >= patience * WORTH)?.[0];
    if (outdated !== undefined) expectation.renewals++;
    expectation.patience *= LONGER;
    this.#startOver(profile, expectation);
    if (outdated !== undefined) regions.delete(outdated);
    return outdated;
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
      regions: new Map(),
      links: new Map(),
      isCall: false,
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
    const patience = expectation.renewals >= MAX_RENEWALS ? 0 : expectation.patience;
    this.#view.setInt32(profile + PROFILE.untilTold, patience, true);
  }
}
