// How a setting is declared: one zod schema with everything else about it as metadata.
// Validation, the settings form, CLI keys (`set NAME key=value`), JSON Schema, diff and documentation derive from it.
import type { z } from "zod";

/** When a change may be made and takes effect: machine off, off or saved, or at any time. */
export type ChangeTime = "off" | "saved" | "running";

export const SETTINGS_PAGES = [
  "general",
  "system",
  "boot",
  "display",
  "storage",
  "audio",
  "network",
  "serial",
  "usb",
  "sharedFolders",
  "snapshots",
  "backups",
] as const;
export type SettingsPage = (typeof SETTINGS_PAGES)[number];

export interface FieldMeta {
  readonly label: string;
  readonly help: string;
  readonly page: SettingsPage;
  readonly change: ChangeTime;
  /** Shown behind the number: `MiB`. */
  readonly unit?: string;
  /** A valid value different from the default; the test that every setting is exercised uses it. */
  readonly example: unknown;
  /** Multi-line text, file or folder picker, ... where the type alone does not say it. */
  readonly control?: "text" | "multiline" | "number" | "slider" | "switch" | "select" | "file" | "folder" | "list";
}

const META = new WeakMap<z.ZodType, FieldMeta>();

/** Attaches a setting's metadata to its schema. */
export function field<T extends z.ZodType>(schema: T, meta: FieldMeta): T {
  META.set(schema, meta);
  return schema;
}

export function fieldMeta(schema: z.ZodType): FieldMeta | undefined {
  return META.get(schema);
}
