// Shared folders as a guest reaches them: the 9P server over folders of this host, with a guest that is hostile.
import { execFileSync } from "node:child_process";
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nameForFolder } from "../../../native-core/config/shared-folders.ts";
import { ERRNO, type OpenFile } from "../../../native-core/devices/virtio/p9/file-share.ts";
import { HeldFile, OpenFileCount } from "../../../native-core/devices/virtio/p9/open-files.ts";
import { OPEN_FILES_MAX, T } from "../../../native-core/devices/virtio/p9/protocol.ts";
import { P9Server } from "../../../native-core/devices/virtio/p9/server.ts";
import { FieldWriter } from "../../../native-core/devices/virtio/p9/wire.ts";
import { listShared, readShared } from "../../../native-core/host/shared-folders/browse.ts";
import { folderAccess } from "../../../native-core/host/shared-folders/folder-access.ts";
import { FolderShare } from "../../../native-core/host/shared-folders/folder-share.ts";
import { P9Client } from "../../support/p9-client.ts";

const SECRET = "what no guest may ever see";
const WRITE = 2;
const TRUNCATE = 0o1000;
const EXCLUSIVE = 0o200;

let outside: string;
let folder: string;
let server: P9Server;
let client: P9Client;
const at = (...names: string[]): string => join(folder, ...names);
const shareOf = (name: string, readOnly = false): FolderShare => new FolderShare({ name, path: at(name), readOnly });

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "shared-folders-"));
  folder = join(outside, "folders");
  for (const name of ["rw", "ro"]) await mkdir(at(name), { recursive: true });
  await writeFile(at("rw", "file"), "content");
  await writeFile(at("ro", "file"), "fixed");
  await writeFile(join(outside, "secret"), SECRET);
  await mkdir(join(outside, "private", "deep"), { recursive: true });
  await writeFile(join(outside, "private", "deep", "secret"), SECRET);
  await writeFile(join(outside, "private", "secret"), SECRET);
  server = new P9Server();
  await server.setShares([shareOf("rw"), shareOf("ro", true)], Date.UTC(2026, 0, 1));
  client = new P9Client(server);
  await client.version();
  await client.attach(1);
});

afterEach(async () => {
  await server.reset();
  await rm(outside, { recursive: true, force: true });
});

/** A fid at a path below the root of the tree. */
async function fidAt(fid: number, ...names: string[]): Promise<number> {
  const { errno } = await client.walk(1, fid, ...names);
  if (errno !== undefined) throw new Error(`walk: ${errno}`);
  return fid;
}

describe("a session", () => {
  it("speaks 9P2000.L and no other version, and forgets everything when one begins", async () => {
    const agreed = await client.call(T.VERSION, (fields) => fields.u32(8192).text("9P2000.L"));
    expect([agreed.fields.u32(), agreed.fields.text()]).toEqual([8192, "9P2000.L"]);
    expect((await client.walk(1, 2, "rw")).errno).toBe(ERRNO.EBADF);
    const other = await client.call(T.VERSION, (fields) => fields.u32(1 << 30).text("9P2000.u"));
    expect([other.fields.u32(), other.fields.text()]).toEqual([1 << 20, "unknown"]);
    expect((await client.call(T.VERSION, (fields) => fields.u32(100).text("9P2000.L"))).errno).toBe(ERRNO.EINVAL);
  });

  it("attaches to the tree or to one folder, which `..` does not leave", async () => {
    expect((await client.attach(5, "nowhere")).errno).toBe(ERRNO.ENOENT);
    await client.attach(6, "rw");
    expect((await client.walk(6, 7, "..", "ro")).fields.u16()).toBe(1);
    expect((await client.walk(1, 8, "rw", "..", "ro")).fields.u16()).toBe(3);
  });

  it("answers a flush when what it is about has been answered", async () => {
    client.atOnce = false;
    await fidAt(2, "rw", "file");
    const order: string[] = [];
    const reading = client
      .send(new FieldWriter().u32(2).u64(0x7ff).finish(T.GETATTR, 99))
      .then(() => order.push("read"));
    const flushing = client.call(T.FLUSH, (fields) => fields.u16(99)).then(() => order.push("flush"));
    await Promise.all([reading, flushing]);
    expect(order).toEqual(["read", "flush"]);
  });
});

describe("files", () => {
  it("are made, written, read, listed, renamed with what is open below, and removed", async () => {
    await fidAt(2, "rw");
    expect((await client.call(T.MKDIR, (f) => f.u32(2).text("new").u32(0o755).u32(0))).errno).toBeUndefined();
    await fidAt(3, "rw", "new");
    expect((await client.create(3, "made", WRITE)).errno).toBeUndefined();
    expect((await client.write(3, "hello", 2)).fields.u32()).toBe(5);
    expect(await client.read(3)).toBe("\0\0hello");
    await fidAt(4, "rw");
    const moved = await client.call(T.RENAMEAT, (f) => f.u32(4).text("new").u32(4).text("old"));
    expect(moved.errno).toBeUndefined();
    const attributes = await client.call(T.GETATTR, (f) => f.u32(3).u64(0x7ff));
    expect(attributes.errno).toBeUndefined();
    expect((await client.call(T.UNLINKAT, (f) => f.u32(4).text("old").u32(0))).errno).toBeDefined();
    expect((await client.call(T.UNLINKAT, (f) => f.u32(4).text("old").u32(0x200))).errno).toBe(ERRNO.ENOTEMPTY);
    await fidAt(5, "rw", "old");
    expect((await client.call(T.UNLINKAT, (f) => f.u32(5).text("made").u32(0))).errno).toBeUndefined();
    // Open files outlive their names.
    expect(await client.read(3, 2)).toBe("hello");
    expect((await client.call(T.REMOVE, (f) => f.u32(5))).errno).toBeUndefined();
    expect(await readdir(at("rw"))).toEqual(["file"]);
  });

  it("belong to whoever of the guest looks, and keep no special permission bits", async () => {
    await fidAt(2, "rw", "file");
    await client.call(T.SETATTR, (f) => {
      f.u32(2).u32(1).u32(0o106755).u32(0).u32(0);
      for (let field = 0; field < 5; field++) f.u64(0);
      return f;
    });
    expect((await stat(at("rw", "file"))).mode & 0o7777).toBe(0o755);
    const { fields } = await client.call(T.GETATTR, (f) => f.u32(2).u64(0x7ff));
    for (const _ of [fields.u64(), fields.u8(), fields.u32(), fields.u64()]);
    expect([fields.u32(), fields.u32(), fields.u32()]).toEqual([0o100755, 1000, 1000]);
  });

  it("are opened exclusively, emptied, cut and dated as asked", async () => {
    await fidAt(2, "rw");
    expect((await client.create(2, "file", WRITE | EXCLUSIVE)).errno).toBe(ERRNO.EEXIST);
    expect((await client.create(2, "file", WRITE | TRUNCATE)).errno).toBeUndefined();
    expect(await readFile(at("rw", "file"), "utf8")).toBe("");
    await fidAt(3, "rw", "file");
    const change = await client.call(T.SETATTR, (f) =>
      f
        .u32(3)
        .u32(8 | 0x20 | 0x100)
        .u32(0)
        .u32(0)
        .u32(0)
        .u64(7)
        .u64(0)
        .u64(0)
        .u64(1_600_000_000)
        .u64(500_000_000),
    );
    expect(change.errno).toBeUndefined();
    const { size, mtimeMs } = await stat(at("rw", "file"));
    expect([size, mtimeMs]).toEqual([7, 1_600_000_000_500]);
  });

  it("of a folder with many are listed in pieces of any size, none twice", async () => {
    await Promise.all(Array.from({ length: 300 }, (_, index) => writeFile(at("rw", `n${index}`), "")));
    await fidAt(2, "rw");
    await client.open(2);
    for (const count of [64, 1000, 1 << 16]) {
      const names = await client.list(2, count);
      expect(names).toHaveLength(303);
      expect(new Set(names).size).toBe(303);
    }
    expect((await client.call(T.READDIR, (f) => f.u32(2).u64(0).u32(10))).errno).toBe(ERRNO.EINVAL);
  });

  it("have links as text, hard links, and neither devices, pipes nor extended attributes", async () => {
    await fidAt(2, "rw");
    expect((await client.call(T.SYMLINK, (f) => f.u32(2).text("link").text("a/b").u32(0))).errno).toBeUndefined();
    expect(await readlink(at("rw", "link"))).toBe("a/b");
    await fidAt(3, "rw", "link");
    expect((await client.call(T.READLINK, (f) => f.u32(3))).fields.text()).toBe("a/b");
    expect((await client.open(3)).errno).toBe(ERRNO.ELOOP);
    expect((await client.call(T.LINK, (f) => f.u32(2).u32(3).text("hard"))).errno).toBe(ERRNO.EPERM);
    await fidAt(4, "rw", "file");
    expect((await client.call(T.LINK, (f) => f.u32(2).u32(4).text("hard"))).errno).toBeUndefined();
    expect((await stat(at("rw", "hard"))).nlink).toBe(2);
    const node = (mode: number) => client.call(T.MKNOD, (f) => f.u32(2).text("node").u32(mode).u32(1).u32(3).u32(0));
    for (const kind of [0o020000, 0o060000, 0o010000, 0o140000])
      expect((await node(kind | 0o666)).errno).toBe(ERRNO.EPERM);
    expect((await node(0o100644)).errno).toBeUndefined();
    expect((await client.call(T.XATTRWALK, (f) => f.u32(4).u32(9).text("user.x"))).errno).toBe(ERRNO.EOPNOTSUPP);
    expect((await client.call(T.LOCK, (f) => f.u32(4))).fields.u8()).toBe(0);
  });

  it("that are pipes of the host are shown, and never opened", async () => {
    execFileSync("mkfifo", [at("rw", "pipe")]);
    await fidAt(2, "rw", "pipe");
    expect((await client.open(2)).errno).toBe(ERRNO.ENXIO);
    await fidAt(3, "rw");
    expect((await client.create(3, "pipe", WRITE)).errno).toBe(ERRNO.ENXIO);
  });

  it("in a folder that is read-only stay as they are, whatever is asked for", async () => {
    await fidAt(2, "ro");
    await fidAt(3, "ro", "file");
    const refused = [
      client.open(3, 1),
      client.open(3, TRUNCATE),
      client.create(2, "x"),
      client.call(T.MKDIR, (f) => f.u32(2).text("x").u32(0o755).u32(0)),
      client.call(T.SYMLINK, (f) => f.u32(2).text("x").text("y").u32(0)),
      client.call(T.MKNOD, (f) => f.u32(2).text("x").u32(0o100644).u32(0).u32(0).u32(0)),
      client.call(T.LINK, (f) => f.u32(2).u32(3).text("x")),
      client.call(T.RENAMEAT, (f) => f.u32(2).text("file").u32(2).text("x")),
      client.call(T.RENAME, (f) => f.u32(3).u32(2).text("x")),
      client.call(T.UNLINKAT, (f) => f.u32(2).text("file").u32(0)),
      client.call(T.SETATTR, (f) => f.u32(3).u32(8).u32(0).u32(0).u32(0).u64(0).u64(0).u64(0).u64(0).u64(0)),
      client.walk(1, 4).then(() => client.call(T.MKDIR, (f) => f.u32(4).text("x").u32(0o755).u32(0))),
    ];
    for (const { errno } of await Promise.all(refused)) expect(errno).toBe(ERRNO.EROFS);
    expect((await client.open(3)).errno).toBeUndefined();
    expect((await client.write(3, "x")).errno).toBe(ERRNO.EBADF);
    expect((await client.call(T.REMOVE, (f) => f.u32(3))).errno).toBe(ERRNO.EROFS);
    expect(await readFile(at("ro", "file"), "utf8")).toBe("fixed");
    expect(await readdir(at("ro"))).toEqual(["file"]);
  });
});

describe("a way out", () => {
  it("is in no name that a guest can give", async () => {
    await fidAt(2, "rw");
    for (const name of ["../secret", "/etc/passwd", "a\0b", "", "x".repeat(256)]) {
      expect((await client.walk(2, 3, name)).errno, name).toBeDefined();
      expect((await client.create(2, name)).errno, name).toBeDefined();
      expect((await client.call(T.MKDIR, (f) => f.u32(2).text(name).u32(0o755).u32(0))).errno, name).toBeDefined();
    }
    expect((await client.call(T.MKDIR, (f) => f.u32(2).text("..").u32(0o755).u32(0))).errno).toBe(ERRNO.EINVAL);
    const up = await client.walk(2, 3, "..", "..", "..", "..", "secret");
    expect(up.errno ?? up.fields.u16()).toBeLessThan(5);
    const renamed = await client.call(T.RENAMEAT, (f) => f.u32(2).text("file").u32(2).text("../../file"));
    expect(renamed.errno).toBe(ERRNO.EINVAL);
  });

  it("is in no symbolic link, at the end of a path or within", async () => {
    await symlink(join(outside, "private"), at("rw", "folder-link"));
    await symlink(join(outside, "secret"), at("rw", "file-link"));
    await symlink("../../..", at("rw", "up-link"));
    for (const name of ["folder-link", "file-link", "up-link"]) {
      const { errno, fields } = await client.walk(1, 2, "rw", name, "secret");
      expect(errno ?? fields.u16()).toBe(2);
      await fidAt(3, "rw", name);
      expect((await client.open(3)).errno).toBe(ERRNO.ELOOP);
      expect((await client.create(3, "made")).errno).toBe(ERRNO.ENOTDIR);
      expect((await client.call(T.READDIR, (f) => f.u32(3).u64(0).u32(4096))).errno).toBeDefined();
      await client.clunk(3);
    }
    await fidAt(4, "rw", "file-link");
    const cut = await client.call(T.SETATTR, (f) =>
      f.u32(4).u32(9).u32(0o777).u32(0).u32(0).u64(0).u64(0).u64(0).u64(0).u64(0),
    );
    expect(cut.errno).toBe(ERRNO.ELOOP);
    await fidAt(5, "rw");
    // Creating through a link that is there follows it no more than opening it does.
    expect((await client.create(5, "file-link", WRITE | TRUNCATE)).errno).toBe(ERRNO.ELOOP);
    expect(await readFile(join(outside, "secret"), "utf8")).toBe(SECRET);
    expect((await stat(join(outside, "secret"))).mode & 0o777).not.toBe(0o777);
  });

  it.runIf(process.platform === "linux")("is not kept open when several find it exchanged at once", async () => {
    const access = folderAccess(at("rw"));
    const use = () => access.inFolder(["sub"], async () => undefined);
    await mkdir(at("rw", "sub"));
    await use();
    await rename(at("rw", "sub"), at("rw", "moved"));
    await mkdir(at("rw", "sub"));
    const later = performance.now() + 60_000;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => later);
    await Promise.all(Array.from({ length: 8 }, use)).finally(() => clock.mockRestore());
    await access.close();
    const open = async () => {
      const numbers = await readdir("/proc/self/fd");
      const places = await Promise.all(numbers.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
      return places.filter((place) => place === at("rw", "moved") || place === at("rw", "sub"));
    };
    await expect.poll(open).toEqual([]);
  });

  it("is not opened by exchanging a folder for a link behind a fid", async () => {
    await mkdir(at("rw", "inner", "deep"), { recursive: true });
    await writeFile(at("rw", "inner", "deep", "secret"), "harmless");
    await fidAt(2, "rw", "inner", "deep");
    await fidAt(3, "rw", "inner", "deep", "secret");
    await rename(at("rw", "inner"), at("rw", "away"));
    await symlink(join(outside, "private"), at("rw", "inner"));
    await server.setShares([shareOf("rw"), shareOf("ro", true)], 0);
    expect((await client.open(3)).errno).toBe(ERRNO.ENOTDIR);
    expect((await client.create(2, "made")).errno).toBe(ERRNO.ENOTDIR);
    expect((await client.open(2)).errno).toBe(ERRNO.ENOTDIR);
    expect(await readdir(join(outside, "private", "deep"))).toEqual(["secret"]);
  });

  it.each([true, false])(
    "stays shut while folder and link are exchanged all the time (at once: %s)",
    async (atOnce) => {
      client.atOnce = atOnce;
      await mkdir(at("rw", "flip", "deep"), { recursive: true });
      await writeFile(at("rw", "flip", "deep", "secret"), "harmless");
      await symlink(join(outside, "private"), at("rw", "link"));
      const over = new AbortController();
      const exchange = (async () => {
        while (!over.signal.aborted) {
          await rename(at("rw", "flip"), at("rw", "aside"));
          await rename(at("rw", "link"), at("rw", "flip"));
          await rename(at("rw", "flip"), at("rw", "link"));
          await rename(at("rw", "aside"), at("rw", "flip"));
          for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
        }
      })();
      const seen = { file: 0, nothing: 0 };
      try {
        for (let turn = 0; turn < 3000 && (seen.file < 5 || seen.nothing < 5); turn++) {
          // Nothing is known of the folder yet, each time.
          const share = shareOf("rw");
          await server.setShares([share], 0);
          await client.walk(1, 2, "rw", "flip", "deep", "secret");
          await client.open(2);
          const text = await client.read(2);
          expect(text).not.toBe(SECRET);
          seen[text === "harmless" ? "file" : "nothing"]++;
          await client.clunk(2);
          await share.close();
        }
      } finally {
        over.abort();
        await exchange;
      }
      expect(Math.min(seen.file, seen.nothing)).toBe(5);
    },
  );

  it("is in no answer: failures are numbers", async () => {
    const { bytes } = await client.walk(1, 2, "rw", "nothing");
    const bare = await client.walk(1, 2, "nothing");
    expect(bytes.length).toBeGreaterThan(0);
    expect(bare.bytes).toHaveLength(11);
  });
});

describe("what a guest may use up", () => {
  it("is bounded: open files, and fids of one number", async () => {
    await fidAt(2, "rw", "file");
    expect((await client.walk(1, 2, "rw")).errno).toBe(ERRNO.EINVAL);
    const count = new OpenFileCount();
    for (let taken = 0; taken < OPEN_FILES_MAX; taken++) count.take();
    expect(() => count.take()).toThrow("EMFILE");
    count.release();
    count.take();
  });

  it("is given back when nothing is under way in it any more", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const calls: string[] = [];
    const file = { close: async () => void calls.push("close") } as unknown as OpenFile;
    const count = new OpenFileCount();
    count.take();
    const held = new HeldFile(file, count);
    const reading = held.use(async () => {
      await promise;
      calls.push("read");
    });
    const closed = held.close();
    await expect(held.use(() => Promise.resolve())).rejects.toThrow("EBADF");
    resolve();
    await Promise.all([reading, closed]);
    expect(calls).toEqual(["read", "close"]);
  });
});

describe("a saved session", () => {
  async function restored(): Promise<void> {
    const state = structuredClone(server.save());
    await server.reset();
    server = new P9Server();
    await server.setShares([shareOf("rw"), shareOf("ro", true)], 0);
    server.restore(state);
    client = new P9Client(server);
  }

  it("opens its files again by their paths, without emptying them, and knows which are gone", async () => {
    await fidAt(2, "rw", "file");
    await client.open(2, WRITE | TRUNCATE);
    await client.write(2, "before");
    await fidAt(3, "rw");
    await client.create(3, "gone");
    await unlink(at("rw", "gone"));
    await fidAt(4, "rw");
    await client.open(4);
    await restored();
    await client.write(2, " after", 6);
    expect(await client.read(2)).toBe("before after");
    expect(await client.read(3)).toBe(ERRNO.ESTALE);
    expect(await client.list(4)).toContain("file");
  });

  it("finds a folder that is shared no longer stale, and open files again when it is shared again", async () => {
    await fidAt(2, "rw", "file");
    await client.open(2);
    await server.setShares([shareOf("ro", true)], 0);
    expect(await client.read(2)).toBe(ERRNO.ESTALE);
    expect((await client.walk(1, 3, "rw")).errno).toBe(ERRNO.ENOENT);
    await server.setShares([shareOf("rw", true)], 0);
    expect(await client.read(2)).toBe("content");
  });

  it("that somebody made up leads nowhere", async () => {
    const fid = { share: "rw", confined: false, uid: 0, flags: 0 };
    server.restore({
      msize: 8192,
      fids: [
        { ...fid, fid: 50, path: ["..", "..", "secret"] },
        { ...fid, fid: 51, path: ["../../secret"] },
        { ...fid, fid: 52, share: null, path: ["secret"] },
        { ...fid, fid: 53, path: ["file"] },
      ],
    });
    for (const number of [50, 51, 52]) expect(await client.read(number)).toBe(ERRNO.EBADF);
    expect(await client.read(53)).toBe("content");
  });
});

it("A folder that comes and goes on the host is followed", async () => {
  await fidAt(2, "rw", "file");
  await rename(at("rw"), at("away"));
  await server.setShares([shareOf("rw"), shareOf("ro", true)], 0);
  expect((await client.call(T.GETATTR, (f) => f.u32(2).u64(0x7ff))).errno).toBe(ERRNO.ENOENT);
  await rename(at("away"), at("rw"));
  expect((await client.call(T.GETATTR, (f) => f.u32(2).u64(0x7ff))).errno).toBeUndefined();
});

it("No sequence of random messages breaks the server, leaves the folders or sees what lies outside", async () => {
  await symlink(join(outside, "private"), at("rw", "folder-link"));
  await symlink(join(outside, "secret"), at("rw", "file-link"));
  await link(at("rw", "file"), at("rw", "hard"));
  const types = [...Object.values(T), 98, 106, 112, 255];
  const name = fc.constantFrom(
    "rw",
    "ro",
    "file",
    "hard",
    "folder-link",
    "file-link",
    "..",
    ".",
    "secret",
    "a",
    "b",
    "a/b",
    "",
  );
  const field = fc.oneof(
    fc.record({ u32: fc.constantFrom(0, 1, 2, 3, 4, 8, 0o777, 0o100644, 0o40755, 0x200, 0xffff_ffff) }),
    fc.record({ u16: fc.nat(4) }),
    fc.record({ u64: fc.constantFrom(0n, 1n, 4096n, 1n << 40n, (1n << 64n) - 1n) }),
    fc.record({ text: name }),
    fc.record({ u8: fc.nat(255) }),
  );
  const walk = fc.record({
    walk: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), fc.array(name, { maxLength: 4 })),
  });
  const message = fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constantFrom(...types), fields: fc.array(field, { maxLength: 9 }) }) },
    { weight: 2, arbitrary: walk },
    { weight: 1, arbitrary: fc.record({ raw: fc.uint8Array({ maxLength: 64 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 10, maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      async (messages, together, atOnce) => {
        client.atOnce = atOnce;
        await client.version();
        await client.attach(1);
        const send = async (each: (typeof messages)[number]) => {
          if ("raw" in each) return client.send(each.raw);
          if ("walk" in each) return client.walk(each.walk[0], each.walk[1], ...each.walk[2]);
          return client.call(each.type, (fields) => {
            for (const value of each.fields) {
              if ("u8" in value) fields.u8(value.u8);
              else if ("u16" in value) fields.u16(value.u16);
              else if ("u32" in value) fields.u32(value.u32);
              else if ("u64" in value) fields.u64(value.u64);
              else fields.text(value.text);
            }
            return fields;
          });
        };
        const replies = [];
        if (together) replies.push(...(await Promise.all(messages.map(send))));
        else for (const each of messages) replies.push(await send(each));
        for (const { bytes } of replies) {
          expect(new DataView(bytes.buffer).getUint32(0, true)).toBe(bytes.length);
          expect(Buffer.from(bytes).includes(SECRET)).toBe(false);
        }
      },
    ),
    { numRuns: 60, seed: 9 },
  );
  expect((await readdir(outside)).sort()).toEqual(["folders", "private", "secret"]);
  expect((await readdir(join(outside, "private"))).sort()).toEqual(["deep", "secret"]);
  expect(await readFile(join(outside, "secret"), "utf8")).toBe(SECRET);
  expect(await readdir(at("ro"))).toEqual(["file"]);
});

describe("the manager's view of a shared folder", () => {
  it("lists and reads it, and follows no link either", async () => {
    await symlink(join(outside, "private"), at("rw", "link"));
    const folderOf = { name: "rw", path: at("rw"), readOnly: false };
    expect((await listShared(folderOf, "/")).map(({ name, kind }) => `${name} ${kind}`).sort()).toEqual([
      "file file",
      "link link",
    ]);
    expect(Buffer.from(await readShared(folderOf, "/file", 3, 100)).toString()).toBe("tent");
    await expect(readShared(folderOf, "/link/secret", 0, 100)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(readShared(folderOf, "/../../secret", 0, 100)).rejects.toMatchObject({ details: { field: "path" } });
    await expect(readShared(folderOf, "/link", 0, 100)).rejects.toMatchObject({ code: "INVALID_FILE" });
    await expect(listShared({ ...folderOf, path: at("nowhere") }, "/")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

it.each([
  ["/home/user/Papers", [], "Papers"],
  ["/home/user/Papers/", ["papers"], "Papers-2"],
  ["C:\\Users\\me\\My Files", [], "My Files"],
  ["/", [], "folder"],
  ["/x/.config", [], "config"],
  ["/x/a:b", [], "a-b"],
])("A folder %s beside %j is called %s", (path, taken, name) => {
  expect(
    nameForFolder(
      path,
      taken.map((each) => ({ name: each })),
    ),
  ).toBe(name);
});
