// Downloads from a real web server on the loopback: continued, checked, cancelled, refused. RFC 9110 13.1.5 (If-Range), 14.2 (Range).
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { catalogueSystems, readCatalogue } from "../../../main/services/catalogue/catalogue.ts";
import { chooseFile, parseChecksums } from "../../../main/services/downloads/checksums.ts";
import { type DownloadLimits, download } from "../../../main/services/downloads/download.ts";
import {
  catalogueView,
  deleteDownload,
  downloadRelease,
  listDownloads,
} from "../../../main/services/downloads/downloads.ts";
import { createCustom } from "../../../main/services/machines/creation.ts";
import { FileServer } from "../../support/file-server.ts";
import { openTestApp, temporaryFolder } from "../../support/test-app.ts";

const CONTENT = Buffer.alloc(300_000, "Terrarium grows. ");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const LIMITS: DownloadLimits = { stallMs: 5000, retryMs: 1, freeBytes: async () => 1 << 30 };

let folder: string;
let server: FileServer;
let target: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await FileServer.listen();
  target = path.join(folder, "disc.iso");
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

interface Changes {
  readonly signal?: AbortSignal;
  readonly limits?: Partial<DownloadLimits>;
  readonly progress?: (share: number) => void;
  readonly content?: Buffer;
}

function get({ signal, limits, progress, content = CONTENT }: Changes = {}): Promise<void> {
  return download({
    url: `${server.url}disc.iso`,
    target,
    checksum: { algorithm: "sha256", hex: sha256(content) },
    signal: signal ?? new AbortController().signal,
    progress: progress ?? (() => undefined),
    limits: { ...LIMITS, ...limits },
  });
}

/** What the server sent has arrived: now the connection may go. */
function cutWhereItStops(share: number): void {
  if (Math.round(share * CONTENT.length) === server.stoppedAt) server.cut();
}

describe("a download", () => {
  it("arrives whole under its name, with progress", async () => {
    server.serve("disc.iso", CONTENT);
    const shares: number[] = [];
    await get({ progress: (share) => shares.push(share) });
    expect(await readFile(target)).toEqual(CONTENT);
    expect(shares.at(-1)).toBe(1);
    expect(await readdir(folder)).toEqual(["disc.iso"]);
  });

  it("goes on where a cut connection stopped, several times", async () => {
    server.serve("disc.iso", CONTENT, { cuts: 3, stopAfter: 70_000 });
    await get({ progress: cutWhereItStops });
    expect(await readFile(target)).toEqual(CONTENT);
    const statuses = server.requests.map(({ status }) => status);
    expect(statuses).toEqual([200, 206, 206, 206]);
  });

  it("keeps what has arrived when the publisher is gone, and continues it the next time", async () => {
    server.serve("disc.iso", CONTENT, { cuts: 1, stopAfter: 100_000 });
    const stop = new AbortController();
    await expect(get({ signal: stop.signal, progress: (share) => share > 0.2 && stop.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect((await readdir(folder)).sort()).toEqual(["disc.iso.part", "disc.iso.part.json"]);
    await get();
    expect(await readFile(target)).toEqual(CONTENT);
    expect(server.requests.at(-1)).toMatchObject({ status: 206 });
  });

  it("begins anew when the file was changed meanwhile", async () => {
    const file = server.serve("disc.iso", CONTENT, { cuts: 1, stopAfter: 100_000 });
    const stop = new AbortController();
    await get({ signal: stop.signal, progress: () => stop.abort() }).catch(() => undefined);
    const newer = Buffer.alloc(200_000, "newer ");
    Object.assign(file, { content: newer, etag: '"2"', cuts: 0 });
    await get({ content: newer });
    expect(await readFile(target)).toEqual(newer);
    expect(server.requests.at(-1)).toMatchObject({ status: 200 });
  });

  it("begins anew where the server knows no ranges or does not say which version it has", async () => {
    server.serve("disc.iso", CONTENT, { cuts: 1, stopAfter: 100_000, ranges: false });
    await get({ progress: cutWhereItStops });
    expect(await readFile(target)).toEqual(CONTENT);
    await rm(target);
    server.serve("disc.iso", CONTENT, { cuts: 1, stopAfter: 100_000, etag: null });
    await get({ progress: cutWhereItStops });
    expect(await readFile(target)).toEqual(CONTENT);
    expect(server.requests.every(({ status }) => status === 200)).toBe(true);
  });

  it("takes a part that is whole already, without fetching it again", async () => {
    server.serve("disc.iso", CONTENT);
    await writeFile(`${target}.part`, CONTENT);
    await writeFile(`${target}.part.json`, JSON.stringify({ url: `${server.url}disc.iso`, validator: '"1"' }));
    await get();
    expect(server.requests).toMatchObject([{ status: 416 }]);
    expect(await readFile(target)).toEqual(CONTENT);
  });

  it("is deleted when its checksum is wrong", async () => {
    server.serve("disc.iso", Buffer.alloc(1000, "x"));
    await expect(get()).rejects.toMatchObject({ code: "INVALID_FILE", details: { file: target } });
    expect(await readdir(folder)).toEqual([]);
  });

  it("does not begin without room on the disk", async () => {
    server.serve("disc.iso", CONTENT);
    await expect(get({ limits: { freeBytes: async () => 1000 } })).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("counts a connection on which nothing arrives as cut", async () => {
    server.serve("disc.iso", CONTENT, { cuts: 9, stopAfter: 1 });
    await expect(get({ limits: { stallMs: 30 } })).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("says what to do when nobody answers, and when the file is gone", async () => {
    await expect(get()).rejects.toMatchObject({ code: "NOT_FOUND" });
    const unreachable = download({
      ...{ url: "http://127.0.0.1:1/disc.iso", target, progress: () => undefined, limits: LIMITS },
      ...{ checksum: { algorithm: "sha256", hex: "" }, signal: new AbortController().signal },
    });
    await expect(unreachable).rejects.toMatchObject({
      code: "UNREACHABLE",
      details: { remedy: expect.stringContaining("choose a file that you have already") },
    });
  });
});

describe("lists of checksums", () => {
  const hex = "a".repeat(64);

  it("are read in the formats of GNU and BSD", () => {
    const sums = parseChecksums(
      `# a comment\n${hex}  ./a.iso\n${hex} *b.iso\nSHA256 (c.iso) = ${hex}\nMD5 (d) = ${hex.slice(32)}`,
    );
    expect([...sums.keys()]).toEqual(["a.iso", "b.iso", "c.iso"]);
    expect(sums.get("c.iso")).toEqual({ algorithm: "sha256", hex });
  });

  it("tell the newest version that fits as a whole", () => {
    const sums = parseChecksums(["9.9", "9.10", "9.10-debug"].map((version) => `${hex}  os-${version}.iso`).join("\n"));
    expect(chooseFile(sums, "os-[\\d.]+\\.iso", "list").name).toBe("os-9.10.iso");
    expect(() => chooseFile(sums, "gone", "list")).toThrow(/no such file any more/);
  });
});

test("the catalogue that comes with the app keeps to its schema, and names each thing once", async () => {
  const systems = await catalogueSystems();
  const ids = [...systems.map(({ id }) => id), ...systems.flatMap(({ releases }) => releases.map(({ id }) => id))];
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThan(30);
});

test("a catalogue that is wrong is refused with its file and field", async () => {
  const file = path.join(folder, "own.json");
  await writeFile(file, JSON.stringify({ version: 1, systems: [{ id: "x", name: "" }] }));
  await expect(readCatalogue(folder)).rejects.toMatchObject({
    code: "INVALID_FILE",
    details: { file, field: "systems.0.name" },
  });
});

describe("releases of a catalogue", () => {
  let app: App;

  beforeEach(async () => {
    const catalogue = path.join(folder, "catalogue");
    await mkdir(catalogue);
    const release = {
      ...{ id: "demo-1", name: "Demo 1", architecture: "x86_64", kind: "disc", folder: server.url },
      ...{ file: "demo-1\\.\\d+\\.iso", checksums: "SHA256SUMS", sizeMiB: 1, unattended: null },
    };
    const system = {
      ...{ id: "demo", name: "Demo", recognize: "demo", osType: "linux", memoryMiB: 128, diskMiB: 0, cpuCount: 1 },
      ...{ firmware: "bios", unattended: null, page: server.url, releases: [release] },
    };
    await writeFile(path.join(catalogue, "demo.json"), JSON.stringify({ version: 1, systems: [system] }));
    process.env["TERRARIUM_CATALOGUE"] = catalogue;
    app = await openTestApp(folder);
  });

  afterEach(async () => {
    delete process.env["TERRARIUM_CATALOGUE"];
    await app.close("power-off");
  });

  const publish = (version: string) => {
    server.serve(`demo-${version}.iso`, CONTENT);
    server.serve("SHA256SUMS", `${sha256(CONTENT)}  demo-${version}.iso\n`);
  };

  it("are downloaded once as a task, shown, and deleted when no machine has them", async () => {
    publish("1.0");
    const [file, same] = await Promise.all([1, 2].map(() => downloadRelease(app.context, "demo-1")));
    expect(same).toBe(file);
    expect(server.requests.filter((request) => request.path.endsWith(".iso"))).toHaveLength(1);
    expect(app.context.tasks.list()).toMatchObject([{ title: "Downloading Demo 1", state: "succeeded" }]);
    expect((await catalogueView(app.context))[0]?.releases[0]).toMatchObject({ downloaded: file });
    const machine = await createCustom(app.context, {
      ...{ name: "vm", description: "", memoryMiB: 128, kernel: null, initrd: null, commandLine: "", disks: [] },
      iso: file ?? null,
    });
    expect(await listDownloads(app.context)).toMatchObject([
      { name: "demo-1.0.iso", complete: true, releaseId: "demo-1", usedBy: [machine.name] },
    ]);
    await expect(deleteDownload(app.context, "demo-1.0.iso")).rejects.toMatchObject({ code: "IN_USE" });
    await machine.update(() => ({ config: { ...machine.record.config, opticalDrives: [] } }));
    expect(await deleteDownload(app.context, "demo-1.0.iso")).toBe(CONTENT.length);
    expect(await listDownloads(app.context)).toEqual([]);
    await expect(deleteDownload(app.context, "../home")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("are there without a network once they were downloaded; a newer version is fetched when it is asked for", async () => {
    publish("1.0");
    await downloadRelease(app.context, "demo-1");
    server.files.clear();
    expect(path.basename(await downloadRelease(app.context, "demo-1"))).toBe("demo-1.0.iso");
    publish("1.1");
    expect(path.basename(await downloadRelease(app.context, "demo-1", { newest: true }))).toBe("demo-1.1.iso");
    await expect(downloadRelease(app.context, "demo-9")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
