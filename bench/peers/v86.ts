// v86 (npm, development only): a 32-bit emulator in JavaScript and WebAssembly, run in Node.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "../../scripts/setup/project.ts";
import { unpackedPackage } from "../../scripts/starter/packages.ts";
import type { Peer } from "./peer.ts";

export const V86: Peer = {
  name: "v86",
  async version() {
    return (JSON.parse(await readFile(join(PROJECT, "node_modules/v86/package.json"), "utf8")) as { version: string })
      .version;
  },
  async missing() {
    // It boots through SeaBIOS, which it does not bring along.
    return unpackedPackage("seabios", join(PROJECT, ".cache/packages")).then(
      () => undefined,
      () => "the Debian package seabios could not be fetched",
    );
  },
  command: (options) => [process.execPath, "bench/peers/v86-process.ts", JSON.stringify(options)],
};
