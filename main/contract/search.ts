// What a search over all consoles finds.

import { z } from "zod";
import { machineIdSchema, snapshotIdSchema } from "./schemas.ts";

export const consoleMatchSchema = z.object({
  machineId: machineIdSchema,
  machineName: z.string(),
  port: z.int(),
  /** Without the terminal's commands. */
  line: z.string(),
  /** When it was printed, to about a second; null where that is not known. */
  atMs: z.number().nullable(),
  /** The last one before it was printed, else the first one after. */
  snapshot: z.object({ id: snapshotIdSchema, name: z.string(), takenAtMs: z.number() }).nullable(),
});
export type ConsoleMatch = z.infer<typeof consoleMatchSchema>;
