import { fork } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DataFolder, openDataFolder, resolveHome } from "../../main/store/data-folder.ts";
import { acquireHostLock } from "../../main/store/host-lock.ts";
import { temporaryFolder } from "../support/test-app.ts";

const HOLDER = fileURLToPath(new URL("../support/lock-holder.ts", import.meta.url));

let folder: string;
let data: DataFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
  data = await openDataFolder(folder);
});

afterEach(() => rm(folder, { recursive: true }));

describe("the lock of a data folder", () => {
  it("is held by one host at a time, and says by which", async () => {
    const lock = acquireHostLock(data);
    await writeFile(path.join(data.run, "host.json"), '{"pid": 4711}');
    expect(() => acquireHostLock(data)).toThrow(
      expect.objectContaining({
        code: "HOST_RUNNING",
        message: expect.stringContaining("process 4711"),
        details: expect.objectContaining({ file: data.root, remedy: expect.stringContaining("host stop") }),
      }),
    );
    lock.release();
    acquireHostLock(data).release();
  });

  it("is free at once when its holder is killed", async () => {
    const holder = fork(HOLDER, [folder], { execArgv: [] });
    await once(holder, "message");
    expect(() => acquireHostLock(data)).toThrow(expect.objectContaining({ code: "HOST_RUNNING" }));
    holder.kill("SIGKILL");
    await once(holder, "exit");
    acquireHostLock(data).release();
  });
});

describe("the place of the data folder", () => {
  const env = { HOME: "/h" };
  it.each([
    ["linux", {}, "/h/.local/share/terrarium"],
    ["linux", { XDG_DATA_HOME: "/x" }, "/x/terrarium"],
    ["darwin", {}, "/h/Library/Application Support/Terrarium"],
    ["win32", { LOCALAPPDATA: "/l" }, "/l/Terrarium"],
    ["linux", { TERRARIUM_HOME: "/t" }, "/t"],
  ] as const)("on %s with %j is %s", (platform, more, expected) => {
    expect(resolveHome(undefined, { platform, homedir: "/h", env: { ...env, ...more } })).toBe(expected);
  });

  it("is the one the user names before all others", () => {
    expect(resolveHome("/chosen", { platform: "linux", homedir: "/h", env: { TERRARIUM_HOME: "/t" } })).toBe("/chosen");
  });
});
