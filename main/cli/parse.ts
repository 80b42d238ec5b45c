// Values as people type them on a command line.
import path from "node:path";
import { AppError } from "../../native-core/common/errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  M: 1,
  MIB: 1,
  MB: 1,
  G: 1024,
  GIB: 1024,
  GB: 1024,
  T: 1024 * 1024,
};

/** `256`, `256M`, `2G` as MiB. */
export function parseMiB(text: string, field: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = UNITS[match?.[2]?.toUpperCase() ?? "?"];
  const value = Number(match?.[1]) * (unit ?? Number.NaN);
  if (Number.isInteger(value) && value > 0) return value;
  throw new AppError("INVALID_ARGUMENT", `It is not a size: ${text}`, { field, remedy: "Write it like 256M or 2G." });
}

/** A size such as `8G` is a new disk, everything else an image. */
export function parseDisk(text: string): { sizeMiB: number } | { file: string } {
  const isSize = /^\d+(\.\d+)?\s*[A-Za-z]{0,3}$/.test(text.trim());
  return isSize ? { sizeMiB: parseMiB(text, "disk") } : { file: path.resolve(text) };
}

export function parseSeconds(text: string, field: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value * 1000;
  throw new AppError("INVALID_ARGUMENT", `It is not a number of seconds: ${text}`, {
    field,
    remedy: "Write it like 30.",
  });
}

/** A whole number that is not negative. */
export function parseCount(text: string, field: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new AppError("INVALID_ARGUMENT", `It is not a whole number: ${text}`, { field, remedy: "Write it like 100." });
}

export function parsePort(text: string): 0 | 1 {
  if (text === "0" || text === "1") return text === "0" ? 0 : 1;
  throw new AppError("INVALID_ARGUMENT", `There is no serial port ${text}`, {
    field: "port",
    remedy: "Choose 0 or 1.",
  });
}
