// Transfer request blocks in guest memory (xHCI 1.2 4.9, 6.4): rings are walked, never trusted.
import type { GuestMemory } from "../device.ts";
import { TRB, TRB_BITS, TRB_BYTES } from "./registers.ts";

export interface Trb {
  /** Where it lies: events name it. */
  readonly address: number;
  readonly parameter: bigint;
  readonly status: number;
  readonly control: number;
}

export const typeOf = ({ control }: Trb): number => (control >>> 10) & 0x3f;
/** Bytes of a transfer TRB. */
export const lengthOf = ({ status }: Trb): number => status & 0x1_ffff;

/** Position on a ring: where the next TRB is, and which cycle bit makes it the consumer's. */
export interface RingPlace {
  readonly address: number;
  readonly cycle: number;
}

/** A pointer as it is in contexts and commands: address with the cycle bit in bit 0. */
export function placeOf(pointer: bigint): RingPlace {
  return { address: Number(pointer & 0xffff_ffff_fff0n), cycle: Number(pointer & 1n) };
}

export function pointerOf({ address, cycle }: RingPlace): bigint {
  return BigInt(address) | BigInt(cycle);
}

/** Links in a row that lead nowhere. */
const MAX_LINKS = 8;

/** The TRB at `place`, links followed, and the place behind it; undefined when there is none yet. */
export function readTrb(memory: GuestMemory, place: RingPlace): { trb: Trb; next: RingPlace } | undefined {
  let { address, cycle } = place;
  for (let links = 0; links < MAX_LINKS; links++) {
    if (address + TRB_BYTES > memory.sizeBytes) return undefined;
    const control = memory.readU32(address + 12);
    if ((control & TRB_BITS.CYCLE) !== cycle) return undefined;
    const trb = { address, parameter: memory.readU64(address), status: memory.readU32(address + 8), control };
    if (typeOf(trb) !== TRB.LINK) return { trb, next: { address: address + TRB_BYTES, cycle } };
    address = placeOf(trb.parameter).address;
    if ((control & TRB_BITS.TOGGLE) !== 0) cycle ^= 1;
  }
  return undefined;
}

/** More in one transfer than any driver has. */
const MAX_TRBS = 2048;

/** The transfer descriptor at `place`: TRBs chained together, for control transfers all up to the status stage. */
export function readTransfer(
  memory: GuestMemory,
  place: RingPlace,
): { trbs: readonly Trb[]; next: RingPlace } | undefined {
  const trbs: Trb[] = [];
  let at = place;
  let isControl = false;
  while (trbs.length < MAX_TRBS) {
    const read = readTrb(memory, at);
    if (!read) return undefined;
    trbs.push(read.trb);
    at = read.next;
    const type = typeOf(read.trb);
    if (type === TRB.SETUP) isControl = true;
    const goesOn = (read.trb.control & TRB_BITS.CHAIN) !== 0 || (isControl && type !== TRB.STATUS);
    if (!goesOn) return { trbs, next: at };
  }
  return undefined;
}
