import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inScratch } from "../../main/store/scratch.ts";
import { temporaryFolder } from "../support/test-app.ts";

let parent: string;
beforeEach(async () => {
  parent = await temporaryFolder();
});
afterEach(() => rm(parent, { recursive: true }));

function leave(name: string): string {
  mkdirSync(path.join(parent, name));
  writeFileSync(path.join(parent, name, "half.qcow2"), "half of it");
  return name;
}

describe("a folder for work under way", () => {
  it("is gone when the work has ended or failed", async () => {
    const seen = await inScratch(parent, async (scratch) => readdirSync(parent).includes(path.basename(scratch)));
    expect(seen).toBe(true);
    await expect(inScratch(parent, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(readdirSync(parent)).toEqual([]);
  });

  it("of a process that was killed goes with the next work, and nobody else's", async () => {
    const mine = await inScratch(parent, async (scratch) => path.basename(scratch));
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const dead = leave(mine.replace(`-${process.pid}-`, `-${pid}-`));
    const living = leave(mine);
    const others = [leave(dead.replace(/^\.terrarium-\w{8}/, ".terrarium-00000000")), leave(".terrarium"), living];
    await inScratch(parent, async () => expect(readdirSync(parent)).not.toContain(dead));
    expect(readdirSync(parent).sort()).toEqual(others.sort());
  });
});
