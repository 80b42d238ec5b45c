// Image files on the host's file system: what is no image, full disks, holes.
import { execFileSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("image-file");
afterAll(() => folder.remove());

const canPunch = (() => {
  if (process.platform !== "linux") return false;
  try {
    const file = folder.file("punch");
    writeFileSync(file, Buffer.alloc(8192, 1));
    execFileSync("fallocate", ["--punch-hole", "--offset", "0", "--length", "4096", file], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe("an image file", () => {
  it("is refused by name when it is not there, a folder, a device, or exists already", async () => {
    const missing = folder.file("missing");
    await expect(NodeImageFile.open(missing, { readOnly: true })).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { file: missing },
    });
    mkdirSync(folder.file("folder"));
    await expect(NodeImageFile.open(folder.file("folder"), { readOnly: true })).rejects.toMatchObject({
      code: "INVALID_FILE",
    });
    writeFileSync(folder.file("there"), "x");
    await expect(NodeImageFile.open(folder.file("there"), { readOnly: false, create: true })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    if (process.platform !== "linux") return;
    await expect(NodeImageFile.open("/dev/null", { readOnly: true })).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { field: "file" },
    });
  });

  it.skipIf(process.platform !== "linux")("says that the disk is full", async () => {
    const path = folder.file("limited");
    const module = new URL("../../../native-core/host/node-image-file.ts", import.meta.url).href;
    const script = `const { NodeImageFile } = await import(process.argv[1]);
      const file = await NodeImageFile.open(process.argv[2], { readOnly: false, create: true });
      await file.write(0, new Uint8Array(4096));
      await file.write(4096, new Uint8Array(1 << 20)).catch((error) => console.log(error.code, error.details.file));
      await file.close();`;
    // A limit on file sizes stands in for a full disk: the same code path, and no file system of its own.
    const output = execFileSync("sh", [
      "-c",
      'ulimit -f 16; exec "$@"',
      "sh",
      process.execPath,
      "--input-type=module",
      "-e",
      script,
      module,
      path,
    ]);
    expect(output.toString().trim()).toBe(`NO_SPACE ${path}`);
  });

  it.skipIf(!canPunch)("gives the space of discarded data back to the host", async () => {
    const path = folder.file("holes.qcow2");
    const file = await NodeImageFile.open(path, { readOnly: false, create: true });
    await createQcow2(file, 64 << 20);
    const image = await Qcow2Image.open(file, await readHeader(file), { decompressors: nodeDecompressors });
    await image.write(0, new Uint8Array(16 << 20).fill(1));
    await image.flush();
    const full = statSync(path).blocks;
    await image.discard(1 << 20, 12 << 20);
    await image.close();
    expect(statSync(path).blocks).toBeLessThan(full / 2);
  });
});
