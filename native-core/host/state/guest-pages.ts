// Guest memory as saved states see it: pages, what is known about each, and the two moments when the core asks for help.

/**
 * RAM, then video memory. `flags` holds bits of PAGE_FLAG per page; bits of others (`code`) are kept. In video memory `dirty`
 * belongs to the display, which clears it after drawing, and the adapter writes there without asking: such pages are neither
 * protected nor missing, and each save looks at all of them.
 */
export interface GuestPages {
  readonly count: number;
  /** Bytes of RAM; the pages behind it are video memory. */
  readonly sizeBytes: number;
  /** A view of all bytes; take it anew after an await, memory may have moved. */
  bytes(): Uint8Array;
  readonly flags: Uint8Array;
  /** To be called after `dirty` was cleared or `protected` or `missing` was set: write rights cached by the core are dropped. */
  flagsChanged(): void;
  /** First touch of a page that is `missing`: fill it and clear the flag. */
  onMissing: (page: number) => void;
  /** First write to a page that is `protected`: keep what it holds and clear the flag. */
  onProtected: (page: number) => void;
}
