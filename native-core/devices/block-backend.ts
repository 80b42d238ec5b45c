// What a disk controller asks of the medium behind it: raw sectors, asynchronous, no knowledge of formats or files.
// Implemented by media/ (qcow2, raw) and by memory disks in tests; used by virtio-blk and later by IDE and AHCI.

/**
 * A disk. Offsets and lengths are bytes, multiples of 512, inside `sizeBytes` (controllers check before they call).
 * Several calls may be in flight; calls that touch the same bytes while one of them is pending have no order.
 * A rejected promise is an I/O error for the guest; what it means for the user is the implementation's to report.
 */
export interface BlockBackend {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Fills `target` completely. */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** Takes all of `source`, which the caller does not touch until the promise settles. */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** Settles when everything whose write had settled before the call survives a power failure. */
  flush(): Promise<void>;
  /** The guest no longer needs these bytes: they may read as zeroes or as before. */
  discard(offset: number, length: number): Promise<void>;
  /** Afterwards the bytes read as zeroes; `mayUnmap` allows their space to be given back. */
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void>;
}

/** The unit of block addresses in every controller, whatever the disk's logical block size. */
export const SECTOR_SIZE_BYTES = 512;
