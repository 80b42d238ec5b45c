// A disk that is full, and one that fails: at every write, sync, rename, link, creation and removal of each kind of work. The work ends well or
// says what is wrong and what to do; everything that was there before is there, and nothing half-made.
//
// All points are hundreds of runs, so that here a few of each scenario are taken, others in each place; TERRARIUM_EVERY_FAULT=1 takes all.
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failureOf } from "../../main/services/failures.ts";
import { withChanges } from "../support/crash-pictures.ts";
import { makeTemplate, openCopy, SCENARIOS, type Scenario, verify } from "../support/storage-scenarios.ts";
import { temporaryFolder } from "../support/test-app.ts";

const SAMPLES = process.env["TERRARIUM_EVERY_FAULT"] === "1" ? Number.POSITIVE_INFINITY : 2;

/** A full disk still takes removals, and stays full; a failing one fails once. */
const FAULTS = {
  ENOSPC: { stays: true, spares: /^(rm|unlink|rmSync|unlinkSync) / },
  EIO: { stays: false, spares: /^$/ },
} as const;
type Fault = keyof typeof FAULTS;

let template: string;
let scratch: string;
let serial = 0;

beforeAll(async () => {
  template = await temporaryFolder();
  scratch = await temporaryFolder();
  await makeTemplate(template);
}, 60_000);

afterAll(async () => {
  for (const folder of [template, scratch]) await rm(folder, { recursive: true });
});

/** Runs the scenario with its `failing`th change failing. Yields how many changes there were, and how it ended. */
async function run(scenario: Scenario, fault: Fault, failing: number) {
  const work = path.join(scratch, String(++serial));
  const { app, base } = await openCopy(template, work);
  const { stays, spares } = FAULTS[fault];
  let count = 0;
  let failed = "";
  let error: unknown;
  const intercept = (before: string) => {
    if (spares.test(before)) return undefined;
    const at = count++;
    if (at < failing || (at > failing && !stays)) return undefined;
    failed ||= before;
    return Object.assign(new Error(`${fault}: injected, ${before}`), { code: fault, path: before.split(" ")[1] });
  };
  await withChanges(intercept, async () => {
    await scenario.run(app, base).catch((reason: unknown) => {
      error = reason;
    });
  });
  scenario.key = app.context.keys.keyOf(base.id);
  await app.close("power-off");
  return { work, count, failed, error };
}

/** What a user is told: what went wrong, and what to do about it. */
function expectExplained(error: unknown): void {
  const { code, message, remedy } = failureOf(error);
  expect(message).not.toMatch(/^Internal error/);
  expect(code).toMatch(/^(NO_SPACE|IO_ERROR)$/);
  expect(remedy).toMatch(/\w/);
}

describe.each(Object.entries(SCENARIOS))("a disk fails anywhere in %s", (_name, scenario) => {
  it.each(["ENOSPC", "EIO"] as const)(
    "with %s: nothing is lost, and what failed is told",
    async (fault) => {
      const { count } = await run(scenario, fault, Number.POSITIVE_INFINITY);
      const step = Math.max(1, Math.floor(count / SAMPLES));
      for (let failing = fault === "EIO" ? Math.floor(step / 2) : 0; failing < count; failing += step) {
        const { work, failed, error } = await run(scenario, fault, failing);
        try {
          if (error !== undefined) expectExplained(error);
          await verify(work, scenario, false);
        } catch (problem) {
          const how = error instanceof Error ? error.stack : "it ended well";
          throw new Error(`${fault} from call ${failing} of ${count} on, ${failed}: ${String(problem)}\n${how}`, {
            cause: problem,
          });
        }
        await rm(work, { recursive: true });
      }
    },
    1_800_000,
  );
});
