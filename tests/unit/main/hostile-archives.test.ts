// Files that machines come from, with bytes changed, left out or doubled: they are refused with a cause, or a machine comes out of them. Neither
// leaves anything behind that is not in the list, and no error is one that nobody foresaw.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { exportMachine, importMachine } from "../../../main/services/backup/machine-file.ts";
import { createCustom, createStarter } from "../../../main/services/machines/creation.ts";
import { isAppError } from "../../../native-core/common/errors.ts";
import { writeText } from "../../support/disk-bytes.ts";
import { startTestApp } from "../../support/test-app.ts";

let folder: string;
let app: App;

beforeAll(async () => {
  ({ app, folder } = await startTestApp());
});

afterAll(async () => {
  await app.close("power-off");
  await rm(folder, { recursive: true });
});

async function exported(name: string): Promise<Buffer> {
  const file = path.join(folder, name);
  const options = { name, description: "", memoryMiB: 64, kernel: null, initrd: null, commandLine: "" };
  const machine = name.endsWith(".terrarium")
    ? await createStarter(app.context, { name })
    : await createCustom(app.context, { ...options, disks: [{ sizeMiB: 1 }] });
  await writeText(path.resolve(machine.paths.folder, machine.record.config.disks[0]?.file ?? ""), 3, "text");
  await exportMachine(app.context, machine, file, false);
  return readFileSync(file);
}

/** Mostly where the descriptions and headers are; sizes of parts that lie there decide about everything else. */
const harm = fc.record({
  changes: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 12 }),
  headers: fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 3 }),
  cutTo: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
});

describe.each(["box.terrarium", "box.ova"])("a damaged %s", (name) => {
  it("is refused or becomes a machine, and leaves nothing else", async () => {
    const original = await exported(name);
    await fc.assert(
      fc.asyncProperty(harm, async ({ changes, headers, cutTo }) => {
        const bytes = Buffer.from(original);
        for (const [share, value] of changes) bytes[Math.floor(share * (bytes.length - 1))] = value;
        for (const [offset, value] of headers) bytes[offset] = value;
        const file = path.join(folder, `hostile-${name}`);
        writeFileSync(file, bytes.subarray(0, cutTo === null ? bytes.length : Math.floor(cutTo * bytes.length)));
        await importMachine(app.context, file, undefined).catch((error: unknown) => {
          if (!isAppError(error)) throw error;
          expect(error.message).toMatch(/\w/);
        });
        const listed = app.context.registry.list().map(({ id }) => id);
        expect(readdirSync(app.context.store.data.machines).sort()).toEqual(listed.sort());
      }),
      { numRuns: 200 },
    );
  }, 120_000);
});
