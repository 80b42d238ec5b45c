// Identities of machines, snapshots and files: 48 random bits as twelve hexadecimal digits, short enough for a command line and unique enough for one data folder.
import { randomBytes } from "node:crypto";

export function newId(): string {
  return randomBytes(6).toString("hex");
}

/** What a guest knows itself by (VMGenID): 128 random bits, hexadecimal. */
export function newGenerationId(): string {
  return randomBytes(16).toString("hex");
}
