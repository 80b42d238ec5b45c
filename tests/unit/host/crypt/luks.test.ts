import { createCipheriv, randomBytes } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { createLuks, LUKS_BYTES } from "../../../../native-core/host/crypt/luks.ts";
import { SECTOR_BYTES, XtsCipher } from "../../../../native-core/host/crypt/xts.ts";
import { nodeMediaHost } from "../../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../../native-core/media/chain.ts";
import { createQcow2 } from "../../../../native-core/media/qcow2/create.ts";
import { hasQemuTools, qemuImg, temporaryFolder } from "../../../support/media/qemu-tools.ts";

const folder = temporaryFolder("luks");
afterAll(folder.remove);

const SECRET = "0123456789abcdef".repeat(4);
const SIZE = 64 << 20;

async function create(name: string, backing?: string): Promise<string> {
  const path = folder.file(name);
  const file = await NodeImageFile.open(path, { readOnly: false, create: true });
  const reference = backing === undefined ? undefined : { name: backing, format: "qcow2" };
  await createQcow2(file, SIZE, reference, { header: createLuks(SECRET).header, lengthBytes: LUKS_BYTES });
  await file.close();
  return path;
}

function open(path: string, secret: string | undefined = SECRET, readOnly = false) {
  const host = nodeMediaHost({ trustedFolders: [folder.path], secretOf: () => secret });
  return openChain(host, { path, format: "qcow2", readOnly });
}

async function write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const image = await open(path);
  await image.write(offset, bytes);
  await image.close();
}

async function read(path: string, offset: number, length: number): Promise<Buffer> {
  const image = await open(path, SECRET, true);
  const bytes = Buffer.alloc(length);
  await image.read(offset, bytes);
  await image.close();
  return bytes;
}

describe("AES-256-XTS", () => {
  it("is that of OpenSSL, sector by sector", () => {
    const key = randomBytes(64);
    const cipher = new XtsCipher(key);
    const plain = randomBytes(SECTOR_BYTES * 5);
    const first = 2 ** 33 + 7;
    const expected = [0, 1, 2, 3, 4].map((index) => {
      const number = Buffer.alloc(16);
      number.writeBigUInt64LE(BigInt(first + index));
      return createCipheriv("aes-256-xts", key, number).update(
        plain.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
      );
    });
    const encrypted = cipher.encrypt(first, plain);
    expect(Buffer.from(encrypted)).toEqual(Buffer.concat(expected));
    expect(Buffer.from(cipher.decrypt(first, encrypted))).toEqual(plain);
  });
});

describe("an encrypted image", () => {
  it("reads what was written, and zeroes elsewhere, through its layers", async () => {
    const base = await create("base.qcow2");
    const data = randomBytes(200 << 10);
    await write(base, 512, data);
    const top = await create("top.qcow2", "base.qcow2");
    await write(top, 4096, Buffer.from("x".repeat(512)));
    const seen = await read(top, 0, 300 << 10);
    const expected = Buffer.alloc(300 << 10);
    data.copy(expected, 512);
    expected.fill("x", 4096, 4096 + 512);
    expect(seen.equals(expected)).toBe(true);
  });

  it("has nothing of what was written in its file", async () => {
    const path = await create("secret.qcow2");
    await write(path, 0, Buffer.from("confidential".repeat(128)));
    const file = await NodeImageFile.open(path, { readOnly: true });
    const bytes = Buffer.alloc(await file.size());
    await file.read(0, bytes);
    await file.close();
    expect(bytes.includes("confidential")).toBe(false);
  });

  it.each([undefined, "f".repeat(64)])("is not opened with the secret %s", async (secret) => {
    const path = await create(`locked-${secret}.qcow2`);
    const host = nodeMediaHost({ trustedFolders: [folder.path], secretOf: () => secret });
    await expect(openChain(host, { path, format: "qcow2", readOnly: false })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { file: path, field: "encryption" },
    });
    await write(path, 0, new Uint8Array(512));
  });

  it("refuses any damaged LUKS header by its field", async () => {
    const path = await create("damaged.qcow2");
    const file = await NodeImageFile.open(path, { readOnly: false, lock: null });
    const luksAt = 4 << 16;
    for (const at of [0, 6, 8, 41, 73, 108, 164, 208 + 40, 208 + 44]) {
      const saved = new Uint8Array(4);
      await file.read(luksAt + at, saved);
      await file.write(luksAt + at, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
      const host = nodeMediaHost({ trustedFolders: [], secretOf: () => SECRET });
      await expect(openChain(host, { path, format: "qcow2", readOnly: true })).rejects.toMatchObject({
        code: expect.stringMatching(/INVALID_FILE|PERMISSION_DENIED/),
      });
      await file.write(luksAt + at, saved);
    }
    await file.close();
  });
});

describe.skipIf(!hasQemuTools)("QEMU", () => {
  const secret = ["--object", `secret,id=key,data=${SECRET}`];
  const options = (path: string) => ["--image-opts", `driver=qcow2,file.filename=${path},encrypt.key-secret=key`];

  it("opens our image and reads the same", async () => {
    const path = await create("for-qemu.qcow2");
    const data = randomBytes(1 << 20);
    await write(path, 1 << 20, data);
    expect(await qemuImg("check", ...secret, ...options(path))).toContain("No errors were found");
    const raw = folder.file("from-ours.raw");
    await qemuImg("convert", ...secret, ...options(path), "-O", "raw", raw);
    const file = await NodeImageFile.open(raw, { readOnly: true });
    const seen = Buffer.alloc(data.length);
    await file.read(1 << 20, seen);
    await file.close();
    expect(seen.equals(data)).toBe(true);
  }, 60_000);

  it("makes images that we open, and reads what we write to them", async () => {
    const path = folder.file("of-qemu.qcow2");
    const luks = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
    const create = () => qemuImg("create", ...secret, "-q", "-f", "qcow2", "-o", luks, path, "16M");
    // It times its own key derivation, and gives up where the clock of processor time is too coarse for that.
    for (let left = 20; ; left--) {
      const failure = await create().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) break;
      if (left === 0 || !String(failure).includes("accurate CPU usage")) throw failure;
    }
    const data = randomBytes(64 << 10);
    await write(path, 3 << 16, data);
    expect((await read(path, 3 << 16, data.length)).equals(data)).toBe(true);
    expect(await qemuImg("check", ...secret, ...options(path))).toContain("No errors were found");
    const raw = folder.file("from-theirs.raw");
    await qemuImg("convert", ...secret, ...options(path), "-O", "raw", raw);
    const file = await NodeImageFile.open(raw, { readOnly: true });
    const seen = Buffer.alloc(data.length);
    await file.read(3 << 16, seen);
    await file.close();
    expect(seen.equals(data)).toBe(true);
  }, 60_000);
});
