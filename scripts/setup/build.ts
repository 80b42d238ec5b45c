// Builds what the app needs to run and is not there or out of date: interpreter, VM process, renderer, Starter Linux, PC firmware. Cheap when all is current.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildStarter, recipeDigest } from "../starter/build.ts";
import { fetchFirmware, isComplete } from "./firmware.ts";
import { step } from "./progress.ts";
import { PROJECT } from "./project.ts";
import { runProgram } from "./run-program.ts";

export async function buildAll(): Promise<void> {
  await buildInterpreter();
  await packVmProcess();
  await buildRenderer();
  await buildStarterLinux();
  await buildFirmware();
}

async function buildFirmware(): Promise<void> {
  if (process.env["TERRARIUM_RESOURCES"] || (await isComplete())) return;
  await step("Fetching the PC firmware", () => fetchFirmware());
}

export async function buildInterpreter(): Promise<void> {
  await unlessCurrent("core", ["native-core", "scripts/build-interpreter.ts"], "out/core/interpreter.wasm", () =>
    step("Generating the interpreter", () => runProgram(process.execPath, ["scripts/build-interpreter.ts"])),
  );
}

async function packVmProcess(): Promise<void> {
  const inputs = ["native-core", "scripts/setup/build-vm-process.ts", "package-lock.json"];
  await unlessCurrent("vm", inputs, "out/vm/vm-process.js", () =>
    step("Packing the VM process", async () => {
      // With Vite, whose loading is not for each start.
      const { buildVmProcess } = await import("./build-vm-process.ts");
      await buildVmProcess();
    }),
  );
}

export async function buildRenderer(): Promise<void> {
  await unlessCurrent(
    "renderer",
    [
      "renderer",
      "main/contract",
      "native-core/config",
      "native-core/common",
      "native-core/protocol",
      "resources",
      "package-lock.json",
    ],
    "out/renderer/index.html",
    () =>
      step("Building the interface", () =>
        runProgram(process.execPath, [
          "node_modules/vite/bin/vite.js",
          "build",
          "--config",
          "renderer/vite.config.ts",
          "--logLevel",
          "error",
        ]),
      ),
  );
}

export async function buildStarterLinux(): Promise<void> {
  if (process.env["TERRARIUM_RESOURCES"]) return;
  if (await starterIsCurrent()) return;
  await step("Building Starter Linux", () => buildStarter());
}

async function starterIsCurrent(): Promise<boolean> {
  const recipe = await readFile(join(PROJECT, "out/starter/recipe"), "utf8").catch(() => "");
  if (!recipe) return false;
  return recipe === (await recipeDigest());
}

/** Runs `build` unless its output is there and the inputs' names, sizes and times are those of the last successful build. */
async function unlessCurrent(
  name: string,
  inputs: readonly string[],
  output: string,
  build: () => Promise<void>,
): Promise<void> {
  const stampFile = join(PROJECT, "out/stamps", name);
  const stamp = await fingerprint(inputs);
  if (existsSync(join(PROJECT, output)) && (await readFile(stampFile, "utf8").catch(() => "")) === stamp) return;
  await build();
  await mkdir(join(PROJECT, "out/stamps"), { recursive: true });
  await writeFile(stampFile, stamp);
}

async function fingerprint(inputs: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const input of inputs) {
    const path = join(PROJECT, input);
    const info = await stat(path);
    const files = info.isDirectory()
      ? (await readdir(path, { recursive: true })).sort().map((file) => join(path, file))
      : [path];
    for (const file of files) {
      const { size, mtimeMs, isDirectory } = await stat(file).then((s) => ({
        size: s.size,
        mtimeMs: s.mtimeMs,
        isDirectory: s.isDirectory(),
      }));
      if (!isDirectory) hash.update(`${file}\0${size}\0${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}
