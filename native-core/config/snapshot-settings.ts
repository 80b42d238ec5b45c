// Snapshots that a machine takes by itself, and which of them are kept. What a user took is never deleted by a rule.
import { z } from "zod";
import { field } from "./field.ts";

const count = (max: number) => z.int().min(0, "not below 0").max(max, `at most ${max}`).default(0);
const SHARED = { page: "snapshots", change: "running", control: "number" } as const;

export const snapshotSettingsSchema = z
  .strictObject({
    everyMinutes: field(count(10_080), {
      ...SHARED,
      label: "Take one every",
      help: "While the machine runs. 0 takes none.",
      unit: "minutes",
      example: 60,
    }),
    beforeStart: field(z.boolean().default(false), {
      ...SHARED,
      label: "Before each start",
      help: "If anything changed since the last one.",
      control: "switch",
      example: true,
    }),
    safety: field(z.boolean().default(true), {
      ...SHARED,
      label: "Before risky changes",
      help: "Hardware settings and going back can then be undone. The newest five are kept.",
      control: "switch",
      example: false,
    }),
    undoHours: field(z.int().min(0, "not below 0").max(8760, "at most 8760").default(24), {
      ...SHARED,
      label: "Deleted ones can be brought back for",
      help: "Deleted snapshots and disk images take space until then, or until it is needed or reclaimed. 0 deletes at once.",
      unit: "hours",
      example: 1,
    }),
    namePattern: field(
      z.string().trim().min(1, "a pattern is needed").max(100, "at most 100 characters").default("Snapshot {n}"),
      {
        ...SHARED,
        label: "Names",
        help: "Of snapshots that get no other name. {n} is a number, {date} and {time} those of the moment, {machine} its name.",
        control: "text",
        example: "{date} {time}",
      },
    ),
    keepLast: field(count(1000), {
      ...SHARED,
      label: "Keep the last",
      help: "Of the snapshots taken by schedule. While all of these are 0, all are kept.",
      example: 10,
    }),
    keepHourly: field(count(1000), {
      ...SHARED,
      label: "Keep hourly",
      help: "The last one of as many hours.",
      unit: "hours",
      example: 24,
    }),
    keepDaily: field(count(1000), {
      ...SHARED,
      label: "Keep daily",
      help: "The last one of as many days.",
      unit: "days",
      example: 7,
    }),
    keepWeekly: field(count(1000), {
      ...SHARED,
      label: "Keep weekly",
      help: "The last one of as many weeks.",
      unit: "weeks",
      example: 4,
    }),
    budgetMiB: field(count(64 * 1024 * 1024), {
      ...SHARED,
      label: "Size budget",
      help: "What snapshots taken by schedule may take up together; the oldest go first. 0 is no limit.",
      unit: "MiB",
      example: 4096,
    }),
  })
  // Machines that were made before there were these settings have the defaults.
  .prefault({});

export type SnapshotSettings = z.infer<typeof snapshotSettingsSchema>;
