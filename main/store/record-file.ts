// machine.json: reading and writing the record beside the disks it describes.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../native-core/common/errors.ts";
import { confirmNames, putFile } from "./atomic-file.ts";
import { ioFailure, systemErrorCode } from "./io-error.ts";
import { type MachineRecord, machineRecordSchema } from "./machine-record.ts";
import { decodeRecord, encodeRecord } from "./record-text.ts";

/** Larger than any honest record by far; a guard against reading something absurd into memory. */
const RECORD_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Null when there is no such file.
 * @throws AppError CORRUPT_STORE naming the file and the first wrong field; IO failures.
 */
export async function readRecordFile(file: string): Promise<MachineRecord | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    throw ioFailure(error, file);
  }
  if (text.length > RECORD_MAX_BYTES) throw damaged(file, undefined, "it is far too large");
  let content: unknown;
  try {
    content = decodeRecord(text);
  } catch {
    throw damaged(file, undefined, "it is not JSON");
  }
  const parsed = machineRecordSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw damaged(file, issue?.path.join("."), issue?.message ?? "it is not a machine record");
}

function damaged(file: string, field: string | undefined, cause: string): AppError {
  return new AppError(
    "CORRUPT_STORE",
    `The machine's record is damaged (${field ? `${field}: ` : ""}${cause}): ${file}`,
    {
      file,
      ...(field && { field }),
      consequence: "The machine can't be used as the record describes it; its disks are untouched.",
      remedy: "Restore machine.json from a backup, or mend the named field.",
    },
  );
}

/**
 * Replaces the record. When it rejects, the old one stands. False when the new one stands but the disk doesn't confirm that it would
 * survive a power failure: the rename is the commit (ADR 9), and what it made true must not be undone as if it had not happened.
 */
export async function writeRecordFile(file: string, record: MachineRecord): Promise<boolean> {
  try {
    await putFile(file, encodeRecord(record));
  } catch (error) {
    throw ioFailure(error, file, { consequence: "The change was not made; everything is as it was before." });
  }
  return confirmNames(path.dirname(file));
}
