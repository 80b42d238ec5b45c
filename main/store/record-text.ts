// machine.json as text. A machine may have ten thousand snapshots, and every change of it writes the file anew: so each snapshot is a line that is
// made once, and names its configuration, which most snapshots have in common but for the disks, instead of holding it.
//
//   { ...the machine, "configs": { KEY: configuration without disks, ... }, "snapshots": [ { ..., "config": KEY, "disks": [...] }, ... ] }
//
// Files with whole configurations in their snapshots, as they were written before, are read as well.
import { hash } from "node:crypto";
import type { MachineRecord, SnapshotRecord } from "./machine-record.ts";

interface Line {
  readonly key: string;
  readonly config: string;
  readonly text: string;
}

/** Snapshots of a record are never changed, only exchanged. */
const lines = new WeakMap<SnapshotRecord, Line>();

function lineOf(snapshot: SnapshotRecord): Line {
  const known = lines.get(snapshot);
  if (known) return known;
  const { disks, ...shared } = snapshot.config;
  const config = JSON.stringify(shared);
  const key = hash("sha256", config).slice(0, 16);
  const line = { key, config, text: JSON.stringify({ ...snapshot, config: key, disks }) };
  lines.set(snapshot, line);
  return line;
}

export function encodeRecord({ snapshots, ...machine }: MachineRecord): string {
  const own = snapshots.map(lineOf);
  const configs = new Map(own.map(({ key, config }) => [key, config]));
  const head = JSON.stringify(machine, null, 2).replace(/\n}$/, "");
  const entries = [...configs].map(([key, config]) => `\n    ${JSON.stringify(key)}: ${config}`);
  const texts = own.map(({ text }) => `\n    ${text}`);
  return `${head},\n  "configs": {${entries.join(",")}},\n  "snapshots": [${texts.join(",")}]\n}\n`;
}

/** What the file says, with whole configurations; not checked any further. Throws SyntaxError for what is not JSON. */
export function decodeRecord(text: string): unknown {
  const content: unknown = JSON.parse(text);
  if (!isObject(content) || !isObject(content["configs"]) || !Array.isArray(content["snapshots"])) return content;
  const { configs, ...machine } = content;
  const whole = (snapshot: unknown): unknown => {
    if (!isObject(snapshot) || typeof snapshot["config"] !== "string") return snapshot;
    const { config, disks, ...rest } = snapshot;
    const shared = Object.hasOwn(configs as object, config as string)
      ? (configs as Record<string, unknown>)[config as string]
      : undefined;
    return { ...rest, config: isObject(shared) ? { ...shared, disks } : shared };
  };
  return { ...machine, snapshots: (content["snapshots"] as unknown[]).map(whole) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
