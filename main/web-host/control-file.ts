// run/host.json: where the CLI finds the running host, and the token that lets it in. Readable by this user only.
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../store/atomic-file.ts";

const controlSchema = z.object({
  pid: z.int(),
  port: z.int(),
  token: z.string(),
  contractVersion: z.int(),
  startedAtMs: z.number(),
});
export type HostControl = z.infer<typeof controlSchema>;

function controlFileIn(runFolder: string): string {
  return path.join(runFolder, "host.json");
}

export async function writeControlFile(runFolder: string, control: HostControl): Promise<void> {
  await writeFileAtomic(controlFileIn(runFolder), `${JSON.stringify(control)}\n`, 0o600);
}

export async function removeControlFile(runFolder: string): Promise<void> {
  await rm(controlFileIn(runFolder), { force: true });
}

/** Null when there is none or it is not readable as one; a host that was killed leaves its file behind. */
export async function readControlFile(runFolder: string): Promise<HostControl | null> {
  try {
    const parsed = controlSchema.safeParse(JSON.parse(await readFile(controlFileIn(runFolder), "utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
