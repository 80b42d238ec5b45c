// Files of SingleStepTests in a folder: MOO or JSON, compressed or not.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readJson } from "./json.ts";
import { readMoo } from "./moo.ts";
import type { StepFile } from "./step-test.ts";

const STEP_FILE = /\.(moo|json)(\.gz)?$/i;
const METADATA = "metadata.json";
const GZIP_MAGIC = 0x8b1f;

/** Whether a file's name is that of cases. */
export const isStepFile = (name: string): boolean => STEP_FILE.test(name) && name !== METADATA;

/** What the file's name says of its instruction: "80.4", "676601". */
export const opcodeOf = (name: string): string => name.replace(STEP_FILE, "");

export function readStepFile(path: string): StepFile {
  const file = readFileSync(path);
  const bytes = file.length > 1 && file.readUInt16LE(0) === GZIP_MAGIC ? gunzipSync(file) : file;
  if (/\.moo/i.test(path)) return readMoo(bytes);
  return readJson(new TextDecoder().decode(bytes), metadataProcessor(dirname(path)));
}

/** The processor that metadata.json beside JSON files names; not every folder has one. */
function metadataProcessor(folder: string): string {
  try {
    const { cpu } = JSON.parse(readFileSync(join(folder, METADATA), "utf8")) as { cpu?: unknown };
    return typeof cpu === "string" ? cpu : "";
  } catch {
    return "";
  }
}
