// Kills at every write, sync, rename, link and removal: whatever was interrupted, a new start has everything that was acknowledged, each
// snapshot still reads as it did, and nothing lies about that nobody refers to.
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { picturesOf } from "../support/crash-pictures.ts";
import { makeTemplate, openCopy, SCENARIOS, verify } from "../support/storage-scenarios.ts";
import { temporaryFolder } from "../support/test-app.ts";

let template: string;
let scratch: string;

beforeAll(async () => {
  template = await temporaryFolder();
  scratch = await temporaryFolder();
  await makeTemplate(template);
}, 60_000);

afterAll(async () => {
  for (const folder of [template, scratch]) await rm(folder, { recursive: true });
});

/** Where the outcome is decided. */
const LAST_POINTS = 12;

let points = 0;

describe.each(Object.entries(SCENARIOS))("kill -9 anywhere in %s", (name, scenario) => {
  it("loses nothing that was acknowledged", async () => {
    const folder = path.join(scratch, name.replaceAll(/\W+/g, "-"));
    const [work, pictures] = [path.join(folder, "work"), path.join(folder, "pictures")];
    const { app, base } = await openCopy(template, work);
    const taken = await picturesOf(work, pictures, async () => void (await scenario.run(app, base)));
    scenario.key = app.context.keys.keyOf(base.id);
    await app.close("power-off");
    expect(taken.length).toBeGreaterThan(4);
    points += taken.length;
    for (const [index, picture] of taken.entries()) {
      if (index % (scenario.step ?? 1) !== 0 && index < taken.length - LAST_POINTS) continue;
      try {
        await verify(picture.folder, scenario, index % 8 === 0);
      } catch (error) {
        throw new Error(`killed before call ${index}, ${picture.before}: ${String(error)}`, { cause: error });
      }
      await rm(picture.folder, { recursive: true });
    }
  }, 300_000);
});

describe("the points of all scenarios", () => {
  it("are hundreds", () => {
    expect(points).toBeGreaterThan(500);
  });
});
