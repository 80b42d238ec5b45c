// A set of file writes taken from dirty metadata in one instant, so that later changes can't slip into an ordered flush.
import type { ImageFile } from "../image-file.ts";

export interface PendingWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Called once, with whether the bytes are in the file: lets go of the source or marks it dirty again. */
  readonly settle: (written: boolean) => void;
}

export async function writeAll(file: ImageFile, writes: readonly PendingWrite[]): Promise<void> {
  await settleAll(writes.map((write) => file.write(write.offset, write.bytes)));
}

/** Like Promise.all, but never leaves work behind: it throws the first failure only after everything has ended. */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === "rejected") throw result.reason;
  }
}
