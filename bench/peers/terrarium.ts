// Our embedded core with the settings that ship, run in a terminal.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "../../scripts/setup/project.ts";
import type { Peer } from "./peer.ts";

export const TERRARIUM: Peer = {
  name: "Terrarium",
  async version() {
    return (JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as { version: string }).version;
  },
  missing: () => Promise.resolve(undefined),
  command: ({ kernel, initrd, commandLine, memoryMiB, disk }) => [
    process.execPath,
    "scripts/boot.ts",
    ...["--kernel", kernel, "--initrd", initrd, "--cmdline", commandLine, "--memory", String(memoryMiB)],
    ...(disk ? ["--disk", disk] : []),
  ],
};
