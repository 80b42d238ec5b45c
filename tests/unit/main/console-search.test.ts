// The search over all consoles: old and present logs, the times of their lines, and the snapshots near them.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { searchConsoles } from "../../../main/services/search/console-search.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { endTestApp, startTestApp } from "../../support/test-app.ts";

let folder: string;
let app: App;
let machine: Machine;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  machine = await createStarter(app.context, { name: "box" });
});

afterEach(() => endTestApp(app, folder));

async function log(name: string, text: string): Promise<void> {
  await mkdir(machine.paths.logs, { recursive: true });
  await writeFile(path.join(machine.paths.logs, name), text);
}

const search = (text: string, isRegex = false) =>
  searchConsoles(app.context.registry.list(), { text, isRegex }).then((found) => found.map(({ line }) => line));

describe("the search over consoles", () => {
  it("finds lines in present and older logs of both ports, without the terminal's commands", async () => {
    await log("ttyS0.log", "first\r\n\x1b[1;31merror:\x1b[0m disk \x1b]0;title\x07full\r\nlast Error");
    await log("ttyS0.log.1", "an error of yesterday\n");
    await log("ttyS1.log", "no such thing\nERROR on the other port\n");
    expect(await search("error")).toEqual([
      "last Error",
      "error: disk full",
      "an error of yesterday",
      "ERROR on the other port",
    ]);
    expect(await search("disk full")).toEqual(["error: disk full"]);
    expect(await search("^e.*l$", true)).toEqual(["error: disk full"]);
    expect(await search(".*")).toEqual([]);
    await expect(search("(", true)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { field: "text" } });
  });

  it("tells when a line was printed, and the last snapshot before it, newest lines first", async () => {
    const before = await takeSnapshot(app.context, machine, { name: "before", description: "" });
    const later = before.takenAtMs + 5000;
    await log("ttyS0.log", "boot oops\nwork\nagain oops\n");
    await log("ttyS0.log.times", `${before.takenAtMs - 60_000} 0\n${later} 10\n`);
    const found = await searchConsoles(app.context.registry.list(), { text: "oops", isRegex: false });
    const snapshot = { id: before.id, name: "before", takenAtMs: before.takenAtMs };
    expect(found).toMatchObject([
      { line: "again oops", atMs: later, snapshot },
      // Nothing was there before: the first one after it.
      { line: "boot oops", atMs: before.takenAtMs - 60_000, snapshot },
    ]);
  });

  it("tells the newest of very many, and looks at one machine only when asked", async () => {
    await log("ttyS0.log", Array.from({ length: 500 }, (_, index) => `tick ${index}`).join("\n"));
    const all = await search("tick");
    expect([all.length, all[0], all.at(-1)]).toEqual([100, "tick 499", "tick 400"]);
    const machines = app.context.registry.list();
    expect(await searchConsoles(machines, { text: "tick", isRegex: false, machineId: "0".repeat(12) })).toEqual([]);
  });
});
