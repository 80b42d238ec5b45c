// The sizes of one qcow2 image, and how a guest offset splits by them.
import { ENTRY_SIZE } from "./entries.ts";
import type { Qcow2Header } from "./header.ts";

export class Geometry {
  /** For messages. */
  readonly fileName: string;
  readonly version: 2 | 3;
  readonly sizeBytes: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  /** Entries of an L2 table. */
  readonly tableEntries: number;

  constructor(fileName: string, header: Qcow2Header) {
    this.fileName = fileName;
    this.version = header.version;
    this.sizeBytes = header.sizeBytes;
    this.clusterBits = header.clusterBits;
    this.clusterSize = header.clusterSize;
    this.tableEntries = header.clusterSize / ENTRY_SIZE;
  }

  cluster(offset: number): number {
    return Math.floor(offset / this.clusterSize);
  }

  l1Index(cluster: number): number {
    return Math.floor(cluster / this.tableEntries);
  }

  l2Index(cluster: number): number {
    return cluster % this.tableEntries;
  }

  /** Clusters that lie in the range whole; the last one of the disk counts as whole when the range reaches the end. */
  wholeClusters(offset: number, length: number): { first: number; end: number } {
    const size = this.clusterSize;
    const toEnd = offset + length >= this.sizeBytes;
    const end = toEnd ? Math.ceil(this.sizeBytes / size) : Math.floor((offset + length) / size);
    return { first: Math.ceil(offset / size), end };
  }
}
