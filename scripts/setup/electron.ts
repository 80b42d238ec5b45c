// Finds Electron's binary. It is not part of the npm package: the package fetches it separately, where the network allows that.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { step } from "./progress.ts";
import { PROJECT } from "./project.ts";

const run = promisify(execFile);

/** How long a download may take before the browser is used instead. */
const FETCH_TIMEOUT_MS = 20_000;

/** Remembers a failed download, so that later starts don't wait for it again; a new Electron version tries anew. */
const FAILED_FILE = join(PROJECT, "out/stamps/electron-unavailable");

/** Path of the binary, or undefined where it is neither there nor quickly fetched. */
export async function findElectron(): Promise<string | undefined> {
  if (process.env["TERRARIUM_NO_ELECTRON"]) return undefined;
  const installed = await installedBinary();
  if (installed) return installed;
  const { version } = JSON.parse(await readFile(join(PROJECT, "node_modules/electron/package.json"), "utf8")) as {
    version: string;
  };
  if ((await readFile(FAILED_FILE, "utf8").catch(() => "")) === version) return undefined;
  await step("Fetching Electron", () =>
    run(process.execPath, [join(PROJECT, "node_modules/electron/install.js")], { timeout: FETCH_TIMEOUT_MS }).catch(
      () => undefined,
    ),
  );
  const fetched = await installedBinary();
  if (!fetched) {
    await mkdir(join(PROJECT, "out/stamps"), { recursive: true });
    await writeFile(FAILED_FILE, version);
  }
  return fetched;
}

async function installedBinary(): Promise<string | undefined> {
  const folder = join(PROJECT, "node_modules/electron");
  const name = await readFile(join(folder, "path.txt"), "utf8").catch(() => "");
  const binary = join(folder, "dist", name.trim());
  return name && existsSync(binary) ? binary : undefined;
}
