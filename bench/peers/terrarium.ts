// Our embedded core as it ships: a machine of the app's own host, in its own VM process, with default settings.
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
  command: (options) => [process.execPath, "bench/peers/terrarium-process.ts", JSON.stringify(options)],
};
