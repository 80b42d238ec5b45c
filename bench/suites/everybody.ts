// Ours, QEMU TCG and v86 with the same init: 64-bit kernels for the first two, a 32-bit one for v86, which has no 64-bit mode.
import { amd64Image, type GuestImage, i386Image } from "../guests/images.ts";
import type { RunningGuest } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { V86 } from "../peers/v86.ts";
import { overheadMiB } from "../process-figures.ts";
import type { Participant } from "./rounds.ts";

const MEMORY_MIB = 256;
const MEMORY_BYTES = MEMORY_MIB * 2 ** 20;

/** Until a guest that has done its work rests: its own late work is over then, and so is what its host does when it sees that. */
export const REST_MS = 8_000;

export interface Everybody {
  readonly participants: readonly Participant[];
  /** The program that the guests have as well, for the host itself. */
  readonly busybox: string;
}

/** `name` keeps the images of suites apart. */
export async function everybody(name: string, init: string, commandLine: string): Promise<Everybody> {
  const amd64 = await amd64Image(name, init);
  const i386 = await i386Image(name, init);
  const options = (image: GuestImage | undefined) =>
    image && { kernel: image.kernel, initrd: image.initrd, commandLine, memoryMiB: MEMORY_MIB };
  return {
    participants: [
      { peer: TERRARIUM, guest: options(amd64) },
      { peer: QEMU, guest: options(amd64) },
      { peer: V86, guest: options(i386) },
    ],
    busybox: amd64.busybox,
  };
}

/** What a participant's process takes beside the pages that its guest has in use; NaN where these can't be told apart. */
export async function memoryAboveGuest({ peer, processes }: RunningGuest): Promise<number> {
  return overheadMiB(await processes(), MEMORY_BYTES, (bytes) => peer.guestMemoryAt?.(bytes, MEMORY_BYTES));
}

export const MEMORY_ABOVE_GUEST = "resident memory beside the pages that the guest has in use";
