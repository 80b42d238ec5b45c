// Backups that a machine gets by itself: where to, how often, and which of them are kept. Those that a user makes are never deleted by a rule.
import { z } from "zod";
import { field } from "./field.ts";

const SHARED = { page: "backups", change: "running" } as const;

export const backupSettingsSchema = z
  .strictObject({
    folder: field(z.string().min(1, "a folder is needed").max(4096).nullable().default(null), {
      ...SHARED,
      label: "Folder",
      help: "Best on another disk. Machines may share it: what is equal is kept there once.",
      control: "folder",
      example: "/mnt/backups",
    }),
    everyHours: field(z.int().min(0, "not below 0").max(8760, "at most 8760").default(0), {
      ...SHARED,
      label: "Make one every",
      help: "While the machine runs, and after it ran. 0 makes none.",
      control: "number",
      unit: "hours",
      example: 24,
    }),
    memory: field(z.boolean().default(false), {
      ...SHARED,
      label: "With its memory",
      help: "A restored machine then goes on where the backup was made, and does not boot.",
      control: "switch",
      example: true,
    }),
    keepLast: field(z.int().min(0, "not below 0").max(1000, "at most 1000").default(0), {
      ...SHARED,
      label: "Keep the last",
      help: "Of the backups made by schedule. 0 keeps all.",
      control: "number",
      example: 7,
    }),
  })
  // Machines that were made before there were these settings have the defaults.
  .prefault({});

export type BackupSettings = z.infer<typeof backupSettingsSchema>;
