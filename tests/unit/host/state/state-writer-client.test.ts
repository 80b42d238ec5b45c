// The worker that writes states: what goes in comes out on disk, and failures come back by name with nothing left behind.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { PageMap } from "../../../../native-core/host/state/page-map.ts";
import { encodeState, readState } from "../../../../native-core/host/state/state-folder.ts";
import { StateWriterClient } from "../../../../native-core/host/state/state-writer-client.ts";
import { temporaryFolder } from "../../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("writer");
afterAll(() => temporary.remove());

const PAGES = 256;
const STATE = encodeState({ memoryMiB: 1, videoMemoryMiB: 0, disks: [] }, {}, 0);
const page = (value: number) => new Uint8Array(4096).fill(value);

function target(name: string) {
  const chunkFolder = temporary.file(`${name}-chunks`);
  return { folder: temporary.file(name), chunkFolder, baseFolder: null };
}

describe("the state writer", () => {
  it("writes what it is given, beside the caller", async () => {
    const to = target("good");
    const writer = new StateWriterClient(to);
    await writer.add([{ pages: [3], bytes: page(7) }], [4, 5]);
    const { map, writtenBytes } = await writer.finish(PageMap.empty(PAGES), STATE);
    expect(map.storedPages).toBe(1);
    expect(writtenBytes).toBeGreaterThan(0);
    expect((await readState(to.folder)).map.pages[3]).toBe(1);
  });

  it("is not hindered by what a killed save left behind", async () => {
    const to = target("again");
    mkdirSync(join(`${to.folder}.tmp`, "packs"), { recursive: true });
    writeFileSync(join(`${to.folder}.tmp`, "state.json"), "{");
    const writer = new StateWriterClient(to);
    await writer.add([{ pages: [3], bytes: page(7) }], []);
    await writer.finish(PageMap.empty(PAGES), STATE);
    expect((await readState(to.folder)).map.storedPages).toBe(1);
    expect(existsSync(`${to.folder}.tmp`)).toBe(false);
  });

  it("leaves nothing when it is stopped", async () => {
    const to = target("aborted");
    const writer = new StateWriterClient(to);
    await writer.add([{ pages: [3], bytes: page(7) }], []);
    await writer.abort();
    expect([existsSync(to.folder), existsSync(`${to.folder}.tmp`), readdirSync(to.chunkFolder)]).toEqual([
      false,
      false,
      [],
    ]);
  });

  it("says by name what is in the way, and can be stopped after that", async () => {
    const to = target("blocked");
    mkdirSync(to.folder);
    writeFileSync(join(to.folder, "other"), "");
    const writer = new StateWriterClient(to);
    await writer.add([{ pages: [3], bytes: page(7) }], []);
    await expect(writer.finish(PageMap.empty(PAGES), STATE)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      details: { file: to.folder },
    });
    await writer.abort();
    expect(existsSync(`${to.folder}.tmp`)).toBe(false);
    expect(readdirSync(to.folder)).toEqual(["other"]);
  });

  it("fails at once when the chunk folder can't be one", async () => {
    const to = target("no-folder");
    writeFileSync(to.chunkFolder, "a file");
    const writer = new StateWriterClient(to);
    await expect(writer.add([], [1])).rejects.toMatchObject({ details: { file: to.folder } });
    await writer.abort();
  });
});
