import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../main/services/app.ts";
import { unlockMachine } from "../../main/services/machines/encryption.ts";
import type { Machine } from "../../main/services/machines/machine.ts";
import { undoRemove } from "../../main/services/machines/removal.ts";
import { restoreSnapshot } from "../../main/services/snapshots/restore.ts";
import { CRASH_POINTS, type CrashPoint } from "../../main/store/crash-points.ts";
import { textAt } from "../support/disk-bytes.ts";
import { makeStarter, openTestApp, temporaryFolder } from "../support/test-app.ts";
import { waitUntil } from "../support/wait-until.ts";

const HOST = fileURLToPath(new URL("../support/crash-host.ts", import.meta.url));

/** As crash-host.ts has it. */
const PASSPHRASE = "passphrase";

/** Where each kind of work is killed. */
const KILLS: Readonly<Record<string, readonly CrashPoint[]>> = {
  create: ["create:files-made", "create:folder-in-place"],
  configure: ["commit:before-record", "commit:record-written", "commit:done"],
  snapshot: ["snapshot:layers-frozen", "commit:record-written", "snapshot:recorded"],
  "live-snapshot": ["snapshot:intent-recorded", "snapshot:layers-frozen", "commit:record-written", "snapshot:recorded"],
  restore: ["restore:overlays-made", "commit:record-written", "restore:recorded"],
  delete: ["commit:record-written", "delete:recorded", "merge:data-copied", "merge:backing-switched"],
  save: ["save:intent-recorded", "save:state-written"],
  encrypt: ["recode:intent-recorded", "recode:files-made", "recode:recorded"],
  clone: ["clone:files-copied", "create:files-made", "create:folder-in-place"],
  "linked-clone": ["clone:layers-frozen", "commit:record-written", "clone:layers-shared", "create:folder-in-place"],
  fork: ["snapshot:recorded", "clone:layers-shared", "create:folder-in-place", "delete:recorded"],
  remove: ["remove:folder-moved"],
  undo: ["remove:folder-moved", "undo:folder-moved"],
};

let template: string;
let folder: string;
let app: App | null = null;

beforeAll(async () => {
  template = await temporaryFolder();
  await makeStarter(template);
  await run(template, "none", "none");
});

afterAll(() => rm(template, { recursive: true }));

beforeEach(async () => {
  folder = await temporaryFolder();
  await cp(template, folder, { recursive: true });
});

afterEach(async () => {
  await app?.close("power-off");
  app = null;
  await rm(folder, { recursive: true });
});

function run(home: string, scenario: string, point: string): Promise<{ steps: string[]; killed: boolean }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [HOST, home, scenario, point], (error, stdout, stderr) => {
      const killed = error?.signal === "SIGKILL";
      if (error && !killed) reject(new Error(stderr));
      else resolve({ steps: stdout.trim().split("\n"), killed });
    });
  });
}

async function reopen(): Promise<App> {
  app = await openTestApp(folder);
  for (const machine of app.context.registry.list())
    await waitUntil("clean-up has ended", () => machine.cleanup === null);
  return app;
}

function base(opened: App): Machine | undefined {
  return opened.context.registry.list().find((machine) => machine.name === "base");
}

async function text(machine: Machine, sector: number): Promise<string> {
  const file = path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
  const image = await (app as App).context.images.open(file, "qcow2");
  const found = await textAt(image, sector);
  await image.close();
  return found;
}

/** What holds whatever was interrupted: both texts are on the disk or in the snapshot, and nothing half-made lies about. */
async function expectWhole(opened: App, emptyDisks: readonly string[]): Promise<void> {
  const { machines } = opened.context.store.data;
  expect(readdirSync(machines).filter((name) => !/^[0-9a-f]{12}$/.test(name))).toEqual([]);
  for (const machine of opened.context.registry.list()) {
    expect(machine.record.pending).toBeNull();
    expect(machine.state).not.toBe("running");
    for (const name of readdirSync(machine.paths.disks)) {
      expect(name).toMatch(/\.qcow2$/);
      await opened.context.images.inspect(path.join(machine.paths.disks, name));
    }
    expect(await text(machine, 1)).toBe(emptyDisks.includes(machine.name) ? "" : "base");
    await opened.lifecycle.start(machine);
    await opened.lifecycle.stop(machine, "power-off");
  }
}

describe.each(Object.entries(KILLS))("kill -9 during %s", (scenario, points) => {
  it.each(points)("at %s loses nothing that was acknowledged", async (point) => {
    const { steps, killed } = await run(folder, scenario, point);
    expect(killed).toBe(true);
    expect(steps).not.toContain("done");
    const opened = await reopen();
    if (scenario === "remove" || scenario === "undo") {
      const machine = base(opened);
      if (!machine) {
        const [trashed = ""] = readdirSync(opened.context.store.data.trash);
        await undoRemove(opened.context, trashed.slice(0, 12));
      }
    }
    const machine = base(opened);
    if (!machine) throw new Error("the machine is lost");
    if (machine.record.encryption !== null) await unlockMachine(opened.context, machine, PASSPHRASE);
    if (scenario === "delete") {
      expect(await text(machine, 2)).toBe("second");
    } else if (scenario === "restore") {
      expect(["", "second"]).toContain(await text(machine, 2));
    } else {
      expect(await text(machine, 2)).toBe("second");
      const first = machine.record.snapshots.find((snapshot) => snapshot.name === "first");
      if (!first) throw new Error("the snapshot is lost");
    }
    await expectWhole(opened, scenario === "create" ? ["created"] : []);
    const first = machine.record.snapshots.find((snapshot) => snapshot.name === "first");
    if (!first) return;
    await restoreSnapshot(opened.context, opened.lifecycle, machine, first, { keepCurrent: false });
    expect(await text(machine, 1)).toBe("base");
    expect(await text(machine, 2)).toBe("");
  });
});

describe("the crash points", () => {
  it("are all exercised here", () => {
    expect([...new Set(Object.values(KILLS).flat())].sort()).toEqual([...CRASH_POINTS].sort());
  });

  it("are in front of nothing in normal operation", async () => {
    expect(await run(folder, "clone", "none")).toEqual({ steps: ["done"], killed: false });
    expect(existsSync(path.join(folder, "home", "terrarium.db"))).toBe(true);
  });
});

describe("a save that was killed after the state was written", () => {
  it("is a saved machine", async () => {
    await run(folder, "save", "save:state-written");
    expect(base(await reopen())?.state).toBe("saved");
  });
});

describe("a live snapshot that was killed after the engine had taken it", () => {
  it("is there", async () => {
    await run(folder, "live-snapshot", "snapshot:layers-frozen");
    expect(base(await reopen())?.record.snapshots.map((snapshot) => snapshot.name)).toEqual(["first", "second"]);
  });
});
