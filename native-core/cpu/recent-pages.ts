// Which pages of guest memory a machine has used of late, as far as its TLBs tell: what it will want first when it is restored.
import { AREA, TLB_BYTES, TLB_ENTRY, VCPU_AREA } from "./mmu/memory-layout.ts";

/** As many as 32 MiB of memory have; a longer list takes longer to read than it saves. */
const MAX_PAGES = 8192;

/**
 * The most telling first. Not the pages that a kernel writes: most of them it only fills for somebody, such as the 16,000 of a 64 MB file. Entries
 * that were emptied still name the page they had.
 */
const TABLES = [
  AREA.supervisor + AREA.execute,
  AREA.user + AREA.execute,
  AREA.user + AREA.write,
  AREA.user + AREA.read,
  AREA.supervisor + AREA.read,
] as const;

/** The TLBs are emptied by each state that is saved: what they have not seen again since is filled up from before, to so many pages. */
const ENOUGH_PAGES = 2000;

/** `now`, and of `former` what is needed to have enough; each page once. */
export function withFormerPages(now: Uint32Array<ArrayBuffer>, former: Uint32Array): Uint32Array<ArrayBuffer> {
  if (now.length >= ENOUGH_PAGES || former.length === 0) return now;
  return Uint32Array.from(new Set([...now, ...former])).slice(0, ENOUGH_PAGES);
}

/** Host pages, each once. `cells`: memory 0. */
export function recentPages(cells: DataView, vcpus: number): Uint32Array<ArrayBuffer> {
  const words = new Int32Array(cells.buffer);
  const pages = new Set<number>();
  for (const table of TABLES) {
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const first = (table + vcpu * VCPU_AREA.size + TLB_ENTRY.hostPage) >> 2;
      for (let at = first; at < first + (TLB_BYTES >> 2); at += TLB_ENTRY.size >> 2) {
        const host = words[at] ?? 0;
        if (host !== 0) pages.add(host >>> 12);
        if (pages.size === MAX_PAGES) return Uint32Array.from(pages);
      }
    }
  }
  return Uint32Array.from(pages);
}
