// Random sequences of everything that moves layers about, against a model that knows only texts: whatever the order, each machine and each
// snapshot reads what it should, also after a new start, and disks that nobody needs any more are gone in the end.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { App } from "../../main/services/app.ts";
import { cloneMachine } from "../../main/services/clones/clone.ts";
import { setTemplate } from "../../main/services/clones/template.ts";
import { createStarter } from "../../main/services/machines/creation.ts";
import type { Machine } from "../../main/services/machines/machine.ts";
import { removeMachine } from "../../main/services/machines/removal.ts";
import { deleteSnapshot } from "../../main/services/snapshots/delete.ts";
import { restoreSnapshot } from "../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../main/services/snapshots/take.ts";
import { reclaimSpace } from "../../main/services/space/space.ts";
import { readText, writeText } from "../support/disk-bytes.ts";
import { hasQemuTools, qemuCheck } from "../support/media/qemu-tools.ts";
import { makeStarter, openTestApp, temporaryFolder } from "../support/test-app.ts";
import { waitUntil } from "../support/wait-until.ts";

/** Sectors in different clusters. */
const SECTORS = [0, 300, 9000];
type Texts = readonly string[];

interface Expected {
  present: Texts;
  readonly snapshots: Map<string, Texts>;
}

const act = fc.record({
  kind: fc.constantFrom(
    "write",
    "write",
    "take",
    "take",
    "restore",
    "delete",
    "clone",
    "cloneSnapshot",
    "remove",
    "reclaim",
    "reopen",
    "template",
  ),
  which: fc.nat(20),
  other: fc.nat(20),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

let template: string;
let serial = 0;

beforeAll(async () => {
  template = await temporaryFolder();
  await makeStarter(template);
});

afterAll(() => rm(template, { recursive: true }));

const topOf = (machine: Machine) => path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? "");

async function textsOf(file: string): Promise<string[]> {
  const texts: string[] = [];
  for (const sector of SECTORS) texts.push(await readText(file, sector));
  return texts;
}

async function check(app: App, model: ReadonlyMap<string, Expected>): Promise<void> {
  const machines = app.context.registry.list();
  expect(machines.map((machine) => machine.id).sort()).toEqual([...model.keys()].sort());
  for (const machine of machines) {
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    const expected = model.get(machine.id);
    expect(await textsOf(topOf(machine))).toEqual(expected?.present);
    for (const { id, layers } of machine.record.snapshots) {
      const file = path.resolve(machine.paths.folder, layers[0]?.file ?? "");
      expect(await textsOf(file)).toEqual(expected?.snapshots.get(id));
    }
    expect(machine.record.snapshots).toHaveLength(expected?.snapshots.size ?? 0);
  }
}

async function perform(
  app: App,
  model: Map<string, Expected>,
  { kind, which, other }: Act,
  step: number,
): Promise<void> {
  const { context, lifecycle } = app;
  const machines = context.registry.list();
  const machine = machines[which % machines.length];
  const expected = machine && model.get(machine.id);
  if (!machine || !expected) return;
  const snapshots = machine.record.snapshots;
  const snapshot = snapshots[other % Math.max(1, snapshots.length)];
  if (kind === "write") {
    // Clean-up and a writer from outside don't know of each other.
    await waitUntil("the clean-up has ended", () => machine.cleanup === null);
    const place = other % SECTORS.length;
    await writeText(topOf(machine), SECTORS[place] ?? 0, `text ${step}`);
    expected.present = expected.present.with(place, `text ${step}`);
  } else if (kind === "take") {
    const taken = await takeSnapshot(context, machine, { description: "" });
    expected.snapshots.set(taken.id, expected.present);
  } else if (kind === "restore" && snapshot) {
    await restoreSnapshot(context, lifecycle, machine, snapshot, { keepCurrent: false });
    expected.present = expected.snapshots.get(snapshot.id) ?? [];
  } else if (kind === "delete" && snapshot) {
    await deleteSnapshot(context, machine, snapshot);
    expected.snapshots.delete(snapshot.id);
  } else if (kind === "clone" || (kind === "cloneSnapshot" && snapshot)) {
    if (machines.length >= 4) return;
    const from = kind === "clone" || !snapshot ? null : snapshot;
    const present = from === null ? expected.present : (expected.snapshots.get(from.id) ?? []);
    const [copy] = await cloneMachine(context, machine, { name: `clone ${step}`, kind: "linked", snapshot: from });
    if (copy) model.set(copy.id, { present, snapshots: new Map() });
  } else if (kind === "remove" && machines.length > 1) {
    await removeMachine(context, machine, true);
    model.delete(machine.id);
  } else if (kind === "reclaim") await reclaimSpace(context, machine);
  else if (kind === "template") {
    await setTemplate(machine, true);
    await setTemplate(machine, false);
  }
}

it("agree with a model over random sequences", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 25 }), async (acts) => {
      const folder = path.join(template, `run-${++serial}`);
      spawnSync("mkdir", [folder]);
      spawnSync("cp", ["-a", path.join(template, "starter"), folder]);
      let app = await openTestApp(folder);
      try {
        const first = await createStarter(app.context, { name: "first" });
        const model = new Map<string, Expected>([[first.id, { present: SECTORS.map(() => ""), snapshots: new Map() }]]);
        for (const [step, each] of acts.entries()) {
          if (each.kind === "reopen") {
            await app.close();
            app = await openTestApp(folder);
            expect(app.notices).toEqual([]);
          } else await perform(app, model, each, step);
          await check(app, model);
        }
        // Without snapshots and other machines, nothing but one layer is left.
        for (const machine of app.context.registry.list().slice(1)) {
          await removeMachine(app.context, machine, true);
          model.delete(machine.id);
        }
        const [last] = app.context.registry.list();
        for (const snapshot of last?.record.snapshots ?? [])
          await deleteSnapshot(app.context, last as Machine, snapshot);
        if (last) model.get(last.id)?.snapshots.clear();
        await app.close();
        app = await openTestApp(folder);
        await check(app, model);
        const [left] = app.context.registry.list();
        const images = readdirSync(left?.paths.disks ?? "").filter((name) => name.endsWith(".qcow2"));
        expect(images).toHaveLength(1);
        if (hasQemuTools && left) expect(await qemuCheck(topOf(left))).toMatchObject({ corruptions: 0, errors: 0 });
      } finally {
        await app.close("power-off");
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 15 },
  );
}, 300_000);
