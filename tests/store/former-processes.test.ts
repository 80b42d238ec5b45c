import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DataFolder, openDataFolder } from "../../main/store/data-folder.ts";
import { formerProcessesEnded } from "../../main/store/former-processes.ts";
import { temporaryFolder } from "../support/test-app.ts";

const WRITER = fileURLToPath(new URL("../support/lock-writer.ts", import.meta.url));

let folder: string;
let data: DataFolder;
let image: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  data = await openDataFolder(folder);
  const disks = path.join(data.machines, "aaaaaaaaaaaa", "disks");
  await mkdir(disks, { recursive: true });
  image = path.join(disks, "disk0.qcow2");
  await writeFile(image, "");
});

afterEach(() => rm(folder, { recursive: true }));

describe("VM processes of a host that was killed", () => {
  it("are waited for as long as they write", async () => {
    const writer = fork(WRITER, [image], { execArgv: [] });
    await once(writer, "message");
    expect(await formerProcessesEnded(data, 50)).toBe(false);
    const ended = formerProcessesEnded(data, 10_000);
    writer.send("go");
    expect(await ended).toBe(true);
  });

  it("that were killed too leave nothing to wait for", async () => {
    const writer = fork(WRITER, [image], { execArgv: [] });
    await once(writer, "message");
    writer.kill("SIGKILL");
    await once(writer, "exit");
    expect(await formerProcessesEnded(data, 10_000)).toBe(true);
  });

  it("are not there in a new data folder", async () => {
    expect(await formerProcessesEnded(data, 0)).toBe(true);
  });
});
