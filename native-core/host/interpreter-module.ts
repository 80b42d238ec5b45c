// The interpreter as the build made it. From sources it is made anew when it is missing or older than what it is made of.
import { mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { compileModule } from "../wasm/compile.ts";
import { isUpToDate } from "./up-to-date.ts";

const BUILT = fileURLToPath(new URL("../../out/core/interpreter.wasm", import.meta.url));
/** None in a built app. */
const SOURCES = (import.meta.url.endsWith(".ts") ? ["x86", "ir", "wasm", "cpu"] : []).map((folder) =>
  fileURLToPath(new URL(`../${folder}`, import.meta.url)),
);

export async function interpreterModule(): Promise<ReturnType<typeof compileModule>> {
  return compileModule(isUpToDate(BUILT, SOURCES) ? new Uint8Array(readFileSync(BUILT)) : await build());
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
