// Image locks: one writer or many readers, a merge beside readers, and nothing left of a killed process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { FileLock, type LockKind } from "../../../native-core/host/file-lock.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("lock");
afterAll(() => folder.remove());

function image(name: string): string {
  const path = folder.file(name);
  writeFileSync(path, "image");
  return path;
}

const locks = (name: string) => readdirSync(folder.path).filter((entry) => entry.startsWith(`${name}.lock-`));

describe("a lock on an image", () => {
  it.each<[LockKind, LockKind, boolean]>([
    ["r", "r", true],
    ["r", "m", true],
    ["m", "r", true],
    ["m", "m", false],
    ["r", "w", false],
    ["w", "r", false],
    ["w", "m", false],
    ["m", "w", false],
    ["w", "w", false],
  ])("held as %s and asked for as %s: granted is %s", async (held, asked, granted) => {
    const path = image(`${held}${asked}.img`);
    const first = await FileLock.acquire(path, held);
    const second = await FileLock.acquire(path, asked).catch((error: unknown) => error);
    if (granted) await (second as FileLock).release();
    else expect(second).toMatchObject({ code: "IN_USE", details: { file: path } });
    await first.release();
    await (await FileLock.acquire(path, "w")).release();
    expect(locks(`${held}${asked}.img`)).toEqual([]);
  });

  it("works for images with the longest names there are", async () => {
    const path = image(`${"ü".repeat(125)}.img`);
    const lock = await FileLock.acquire(path, "w");
    await expect(FileLock.acquire(path, "r")).rejects.toMatchObject({ code: "IN_USE" });
    await lock.release();
  });

  it("lets others in after it was made less tight", async () => {
    const path = image("downgrade.img");
    const lock = await FileLock.acquire(path, "w");
    await lock.downgrade("r");
    await (await FileLock.acquire(path, "m")).release();
    await lock.release();
    expect(locks("downgrade.img")).toEqual([]);
  });

  it("ends with the process that holds it, even when that is killed", async () => {
    const path = image("killed.img");
    const module = fileURLToPath(new URL("../../../native-core/host/file-lock.ts", import.meta.url));
    const script = `const { FileLock } = await import(process.argv[1]);
      await FileLock.acquire(process.argv[2], "w"); console.log("held"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, module, path], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child.stdout, "data");
    await expect(FileLock.acquire(path, "r")).rejects.toMatchObject({ code: "IN_USE" });
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = await FileLock.acquire(path, "w");
    expect(locks("killed.img")).toHaveLength(1);
    await lock.release();
  });
});
