// What a region expects of a computed jump or call, by the profile of where it has led (interpreter/target-profile.ts).
import { type ProfiledTarget, readProfile, type TargetProfile } from "../interpreter/target-profile.ts";

interface Expected extends ProfiledTarget {
  /** Of the times that were looked at. */
  readonly share: number;
}

export interface ComputedTarget extends Expected {
  /** Offset in the region. */
  readonly offset: number;
}

export interface ComputedTargets {
  readonly isCall: boolean;
  /** Address of the profile. */
  readonly profile: number;
  /** Most frequent first. */
  readonly expected: readonly ComputedTarget[];
}

/** Share of the times that makes a target worth a way of its own: of a jump, where it costs a few bytes, and of a call. */
const MIN_SHARE = { jump: 1 / 64, call: 1 / 8 } as const;
/** Beyond this share nothing else is expected. */
const ALWAYS = 0.98;

/** Beyond that an offset in the region is no longer a small number. */
export const MAX_DISTANCE = 1 << 30;

/** `pageBegin`: offset in the region of the page that the jump is in. */
export function computedTargets(view: DataView, profile: number, isCall: boolean, pageBegin: number): ComputedTargets {
  const expected = expectedOf(readProfile(view, profile), isCall)
    .map((target) => ({ ...target, offset: pageBegin + target.distance }))
    .filter(({ offset }) => Math.abs(offset) <= MAX_DISTANCE);
  return { isCall, profile, expected };
}

/** Most frequent first. */
export function expectedOf({ targets, samples }: TargetProfile, isCall: boolean): readonly Expected[] {
  const shares = targets.map((target) => ({ ...target, share: target.times / samples }));
  return shares.filter(({ share }) => share >= (isCall ? MIN_SHARE.call : MIN_SHARE.jump));
}

export const isAlways = ({ expected }: ComputedTargets): boolean => (expected[0]?.share ?? 0) >= ALWAYS;
