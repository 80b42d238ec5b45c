// Guest pages without a core: writes go through the same flags that the core's memory management keeps.
import { PAGE_FLAG } from "../../../native-core/cpu/mmu/memory-layout.ts";
import type { GuestPages } from "../../../native-core/host/state/guest-pages.ts";

const PAGE = 4096;

export class FakeGuest implements GuestPages {
  readonly memory: Uint8Array;
  readonly flags: Uint8Array;
  readonly count: number;
  readonly sizeBytes: number;
  onMissing: (page: number) => void = () => undefined;
  onProtected: (page: number) => void = () => undefined;

  constructor(count: number) {
    this.count = count;
    this.sizeBytes = count * PAGE;
    this.memory = new Uint8Array(count * PAGE);
    this.flags = new Uint8Array(count);
  }

  bytes(): Uint8Array {
    return this.memory;
  }

  flagsChanged(): void {}

  /** A store by the guest. */
  write(page: number, offset: number, value: number): void {
    const has = (flag: number) => ((this.flags[page] ?? 0) & flag) !== 0;
    if (has(PAGE_FLAG.missing)) this.onMissing(page);
    if (has(PAGE_FLAG.protected)) this.onProtected(page);
    this.flags[page] = (this.flags[page] ?? 0) | PAGE_FLAG.dirty;
    this.memory[page * PAGE + offset] = value;
  }

  /** All memory, with missing pages fetched. */
  contents(): Uint8Array {
    for (let page = 0; page < this.count; page++) {
      if ((this.flags[page] ?? 0) & PAGE_FLAG.missing) this.onMissing(page);
    }
    return this.memory.slice();
  }
}
