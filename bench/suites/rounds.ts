// The loop that all suites share: participants in turn, A B A B, so that a busy moment of the host hits all of them.
import { type GuestOptions, type Peer, type RunningGuest, startGuest } from "../peers/peer.ts";

export interface Participant {
  readonly peer: Peer;
  /** Undefined: there is no image for it; the reason goes into the table. */
  readonly guest: GuestOptions | undefined;
}

export interface Rounds<T> {
  /** Participant to its results, in order of rounds. */
  readonly results: Map<string, T[]>;
  readonly versions: Record<string, string>;
  readonly missing: Record<string, string>;
}

/** Boots each participant once per round (after `prepare`) and lets `measure` watch; who fails is named with the reason and left out. */
export async function inRounds<T>(
  rounds: number,
  participants: readonly Participant[],
  progress: (text: string) => void,
  measure: (guest: RunningGuest) => Promise<T>,
  native?: () => Promise<T>,
  prepare?: () => Promise<void>,
): Promise<Rounds<T>> {
  const all: Rounds<T> = { results: new Map(), versions: {}, missing: {} };
  const keep = (name: string, result: T): void => {
    all.results.set(name, [...(all.results.get(name) ?? []), result]);
  };
  for (let round = 1; round <= rounds; round++) {
    for (const { peer, guest: options } of participants) {
      const reason = options ? await peer.missing() : "its packages could not be fetched";
      if (reason || !options) {
        all.missing[peer.name] = reason ?? "no image";
        continue;
      }
      all.versions[peer.name] = await peer.version();
      progress(`round ${round}: ${peer.name}`);
      await prepare?.();
      const guest = startGuest(peer, options);
      try {
        keep(peer.name, await measure(guest));
      } catch (error) {
        all.missing[peer.name] = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "failed";
      } finally {
        await guest.stop();
      }
    }
    if (native) {
      progress(`round ${round}: native`);
      keep("native", await native());
    }
  }
  return all;
}
