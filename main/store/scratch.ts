// A folder for what is made on the way, gone when the work is; one that a killed process left, when the next work begins beside it.
//     .terrarium-5d41402a-4711-88123-k3Xf9a      digest of the host's name, process id, start time of that process, random
import { hash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { isAlive, startTime } from "../../native-core/host/process-life.ts";
import { withIoFailures } from "./io-error.ts";

/** Folders may be shared with other hosts, of whose processes nothing is known here. */
const PREFIX = `.terrarium-${hash("sha256", hostname()).slice(0, 8)}-`;

/** `parent` exists. @throws AppError naming it when nothing can be made there */
export async function inScratch<T>(parent: string, work: (scratch: string) => Promise<T>): Promise<T> {
  const own = `${PREFIX}${process.pid}-${startTime(process.pid) ?? 0}-`;
  const scratch = await withIoFailures(parent, { field: "file", consequence: "Nothing was done." }, () =>
    mkdtemp(path.join(parent, own)),
  );
  try {
    await removeLeftovers(parent);
    return await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What can't be removed stays, and hinders nobody. */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const [, pid, started] = /^(\d+)-(\d+)-\w{6}$/.exec(name.slice(PREFIX.length)) ?? [];
    if (pid === undefined || started === undefined || isAlive(Number(pid), started)) continue;
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
