// Our embedded core as it ships: a machine of the app's own host, in its own VM process, with default settings.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GUEST_MEMORY } from "../../native-core/cpu/mmu/memory-layout.ts";
import { PROJECT } from "../../scripts/setup/project.ts";
import type { Peer } from "./peer.ts";

/** Video memory and ROM behind a guest's RAM are less than this. */
const BEHIND_RAM_BYTES = 64 << 20;

export const TERRARIUM: Peer = {
  name: "Terrarium",
  async version() {
    return (JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as { version: string }).version;
  },
  missing: () => Promise.resolve(undefined),
  guestMemoryAt: (mappingBytes, guestBytes) => {
    const behind = mappingBytes - GUEST_MEMORY.address - guestBytes;
    return behind >= 0 && behind < BEHIND_RAM_BYTES ? GUEST_MEMORY.address : undefined;
  },
  command: (options) => [process.execPath, "bench/peers/terrarium-process.ts", JSON.stringify(options)],
};
