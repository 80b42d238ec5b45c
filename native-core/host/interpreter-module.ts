// The interpreter as the build made it. From sources it is made anew when it is missing or older than what it is made of.
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileModule } from "../wasm/compile.ts";

const BUILT = fileURLToPath(new URL("../../out/core/interpreter.wasm", import.meta.url));
const SOURCES = ["x86", "ir", "wasm", "cpu"].map((folder) => fileURLToPath(new URL(`../${folder}`, import.meta.url)));

export async function interpreterModule(): Promise<ReturnType<typeof compileModule>> {
  return compileModule(isCurrent() ? new Uint8Array(readFileSync(BUILT)) : await build());
}

async function build(): Promise<Uint8Array<ArrayBuffer>> {
  const { buildInterpreter } = await import("../cpu/interpreter/build-interpreter.ts");
  const bytes = new Uint8Array(buildInterpreter());
  try {
    mkdirSync(dirname(BUILT), { recursive: true });
    const temporary = `${BUILT}.${process.pid}`;
    writeFileSync(temporary, bytes);
    // As old as the sources may be that it is made of: this process read them when it started, and they may have changed since.
    const read = new Date(performance.timeOrigin);
    utimesSync(temporary, read, read);
    renameSync(temporary, BUILT);
  } catch {
    // A read-only source tree: it is made again next time.
  }
  return bytes;
}

function isCurrent(): boolean {
  try {
    const { mtimeMs } = statSync(BUILT);
    return !import.meta.url.endsWith(".ts") || SOURCES.every((folder) => newest(folder) <= mtimeMs);
  } catch {
    return false;
  }
}

function newest(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(0, ...times);
}
