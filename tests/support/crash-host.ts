// A host that does one kind of work and is killed in the middle of it (main/store/crash-points.ts). Each finished step is acknowledged on
// stdout before the next begins; what was acknowledged has to be there afterwards.
import { writeSync } from "node:fs";
import path from "node:path";
import { cloneMachine } from "../../main/services/clones/clone.ts";
import { forkMachine } from "../../main/services/clones/fork.ts";
import { configure } from "../../main/services/machines/configuration.ts";
import { createStarter } from "../../main/services/machines/creation.ts";
import { encryptMachine } from "../../main/services/machines/encryption.ts";
import type { Machine } from "../../main/services/machines/machine.ts";
import { removeMachine, undoRemove } from "../../main/services/machines/removal.ts";
import { deleteSnapshot } from "../../main/services/snapshots/delete.ts";
import { restoreSnapshot } from "../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../main/services/snapshots/take.ts";
import { writeText } from "./disk-bytes.ts";
import { openTestApp } from "./test-app.ts";
import { waitUntil } from "./wait-until.ts";

const [folder = "", scenario = "", point = ""] = process.argv.slice(2);
const app = await openTestApp(folder);
const { context, lifecycle } = app;

function acknowledge(step: string): void {
  writeSync(1, `${step}\n`);
}

function disk(machine: Machine): string {
  return path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");
}

async function prepared(): Promise<Machine> {
  const machine = context.registry.list().find((each) => each.name === "base");
  if (machine) return machine;
  const made = await createStarter(context, { name: "base" });
  await writeText(disk(made), 1, "base");
  await takeSnapshot(context, made, { name: "first", description: "" });
  await writeText(disk(made), 2, "second");
  acknowledge("prepared");
  return made;
}

const SCENARIOS: Readonly<Record<string, (machine: Machine) => Promise<void>>> = {
  create: async () => void (await createStarter(context, { name: "created" })),
  configure: async (machine) => void (await configure(context, machine, { ...machine.record.config, memoryMiB: 512 })),
  snapshot: async (machine) => void (await takeSnapshot(context, machine, { name: "second", description: "" })),
  "live-snapshot": async (machine) => {
    await lifecycle.start(machine);
    acknowledge("started");
    await takeSnapshot(context, machine, { name: "second", description: "" });
  },
  restore: async (machine) => {
    const snapshot = machine.record.snapshots[0];
    if (snapshot) void (await restoreSnapshot(context, lifecycle, machine, snapshot, { keepCurrent: false }));
  },
  delete: async (machine) => {
    const snapshot = machine.record.snapshots[0];
    if (snapshot) await deleteSnapshot(context, machine, snapshot);
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
  },
  save: async (machine) => {
    await lifecycle.start(machine);
    acknowledge("started");
    await lifecycle.stop(machine, "save");
  },
  clone: async (machine) => void (await cloneMachine(context, machine, { name: "created", kind: "full" })),
  "linked-clone": async (machine) => void (await cloneMachine(context, machine, { name: "created", kind: "linked" })),
  fork: async (machine) => {
    await lifecycle.start(machine);
    acknowledge("started");
    await forkMachine(context, lifecycle, machine, { name: "created", count: 1, start: true });
  },
  encrypt: (machine) => encryptMachine(context, machine, "passphrase"),
  remove: (machine) => removeMachine(context, machine, false),
  undo: async (machine) => {
    await removeMachine(context, machine, false);
    acknowledge("removed");
    await undoRemove(context, machine.id);
  },
};

const machine = await prepared();
// Only now: the preparation passes the same points.
process.env["TERRARIUM_CRASH_AT"] = point;
await SCENARIOS[scenario]?.(machine);
acknowledge("done");
await app.close("power-off");
