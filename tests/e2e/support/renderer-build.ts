// Builds the renderer as it is now, once per test process, so that interface tests never look at an old bundle.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

let folder: Promise<string> | undefined;

async function buildOnce(): Promise<string> {
  const outDir = await mkdtemp(path.join(tmpdir(), "terrarium-renderer-"));
  const root = fileURLToPath(new URL("../../../renderer", import.meta.url));
  await build({ root, configFile: path.join(root, "vite.config.ts"), logLevel: "error", build: { outDir } });
  return outDir;
}

export function builtRenderer(): Promise<string> {
  folder ??= buildOnce();
  return folder;
}
