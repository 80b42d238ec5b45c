// Builds the renderer as it is now, once per run, so that interface tests never look at an old bundle. vitest calls the default export before
// the first interface test and what it yields after the last one; scripts that use the tests' hosts build for themselves.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

/** Tests run in processes of their own and inherit it. */
const FOLDER_VARIABLE = "TERRARIUM_TEST_RENDERER";

async function buildOnce(): Promise<string> {
  const outDir = await mkdtemp(path.join(tmpdir(), "terrarium-renderer-"));
  const root = fileURLToPath(new URL("../../../renderer", import.meta.url));
  await build({ root, configFile: path.join(root, "vite.config.ts"), logLevel: "error", build: { outDir } });
  return outDir;
}

export default async function setUp(): Promise<() => Promise<void>> {
  const folder = await buildOnce();
  process.env[FOLDER_VARIABLE] = folder;
  return () => rm(folder, { recursive: true });
}

/** The folder of the built renderer. */
export async function builtRenderer(): Promise<string> {
  return (process.env[FOLDER_VARIABLE] ??= await buildOnce());
}
