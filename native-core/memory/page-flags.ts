// What is known about each page of guest memory: one byte, shared by everyone who reads or writes guest memory.

export const PAGE_BYTES = 4096;

export const PAGE_FLAG = {
  /** Written since the flag was last cleared. */
  dirty: 1,
  /** Holds translated code: the vCPU caches no right to write to it. */
  code: 2,
  /** Content not here yet: fetched at first touch (lazy restore). */
  missing: 4,
  /** The content is being saved: a write needs a copy first (live snapshot). */
  protected: 8,
  /** A TLB may hold a right to write to it, for the supervisor or for user code. */
  writeCachedSupervisor: 16,
  writeCachedUser: 32,
  /** Shadow RAM that the chipset has locked: read and run like all RAM, while writes go to the bus. No write entry exists for it. */
  readOnly: 64,
} as const;

/** Guest physical window of legacy video memory and option ROM of devices: never RAM. */
export const MMIO_HOLE = { start: 0xa_0000, end: 0xc_0000 } as const;
