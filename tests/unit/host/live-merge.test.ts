// Merging a layer away beside a running guest: whatever it writes meanwhile, the disk reads as if nobody had touched its layers.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { DiskSet } from "../../../native-core/host/disk-set.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { hasQemuTools, qemuCheck, temporaryFolder } from "../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("live-merge");
afterAll(() => temporary.remove());

const SIZE = 24 << 20;
const GRAIN = 4096;
let folder = "";
let serial = 0;
const at = (name: string) => join(folder, name);

beforeEach(() => makeFolder());

function makeFolder(): void {
  folder = temporary.file(`m${++serial}`);
  mkdirSync(folder);
}

/** Images on each other in the order of their names, each written by `fill`; the last one is the top. */
async function chain(names: readonly string[], fill: (set: DiskSet, name: string) => Promise<void>): Promise<DiskSet> {
  let below: string | undefined;
  for (const name of names) {
    const file = await NodeImageFile.open(at(name), { readOnly: false, create: true });
    await createQcow2(file, SIZE, below === undefined ? undefined : { name: below, format: "qcow2" });
    await file.close();
    const set = await open(name);
    await fill(set, name);
    await set.close();
    below = name;
  }
  return open(below ?? "");
}

const open = (name: string) => DiskSet.open([{ id: "a", file: at(name), format: "qcow2", readOnly: false }], folder);

async function mergeAll(set: DiskSet, layer: string, between: () => Promise<unknown> = async () => undefined) {
  for (let offset = 0; ; ) {
    const step = await set.mergeStep("a", at(layer), offset);
    if (step.done) return;
    offset = step.offset;
    await between();
  }
}

type Act = { readonly kind: "write" | "zero" | "read" | "flush"; readonly grain: number; readonly grains: number };
const act = fc.record({
  kind: fc.constantFrom("write", "write", "zero", "read", "flush"),
  grain: fc.nat(SIZE / GRAIN - 65),
  grains: fc.integer({ min: 1, max: 64 }),
}) as fc.Arbitrary<Act>;

describe("a merge beside a running guest", () => {
  it("never changes what the disk reads as, whatever the guest does meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 6, maxLength: 24 }), fc.nat(200), async (acts, seed) => {
        makeFolder();
        const model = new Uint8Array(SIZE);
        let value = seed;
        const perform = async (set: DiskSet, { kind, grain, grains }: Act) => {
          const disk = set.disks[0];
          const [offset, length] = [grain * GRAIN, grains * GRAIN];
          if (kind === "write") {
            value = (value % 255) + 1;
            const bytes = new Uint8Array(length).fill(value);
            model.set(bytes, offset);
            await disk?.write(offset, bytes);
          } else if (kind === "zero") {
            model.fill(0, offset, offset + length);
            await disk?.writeZeroes(offset, length, true);
          } else if (kind === "flush") await disk?.flush();
          else {
            const bytes = new Uint8Array(length);
            await disk?.read(offset, bytes);
            expect(Buffer.compare(bytes, model.subarray(offset, offset + length))).toBe(0);
          }
        };
        const third = Math.ceil(acts.length / 3);
        const early = { "base.qcow2": acts.slice(0, third), "layer.qcow2": acts.slice(third, third * 2) };
        const set = await chain(["base.qcow2", "layer.qcow2", "top.qcow2"], async (each, name) => {
          for (const one of early[name as keyof typeof early] ?? []) await perform(each, one);
        });
        const late = acts.slice(third * 2);
        const running = (async () => {
          for (const one of late) await perform(set, one);
        })();
        await mergeAll(set, "layer.qcow2");
        await running;
        rmSync(at("layer.qcow2"));
        const bytes = new Uint8Array(SIZE);
        await set.disks[0]?.read(0, bytes);
        expect(Buffer.compare(bytes, model)).toBe(0);
        await set.close();
        if (hasQemuTools) expect(await qemuCheck(at("top.qcow2"))).toMatchObject({ corruptions: 0, errors: 0 });
        const again = await open("top.qcow2");
        await again.disks[0]?.read(0, bytes);
        expect(Buffer.compare(bytes, model)).toBe(0);
        await again.close();
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  it("is refused for a layer that is not right below the top, and does nothing then", async () => {
    const set = await chain(["base.qcow2", "layer.qcow2", "top.qcow2"], async () => undefined);
    await expect(set.mergeStep("a", at("base.qcow2"), 0)).rejects.toMatchObject({ code: "INVALID_STATE" });
    await expect(set.mergeStep("b", at("layer.qcow2"), 0)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await set.close();
  });

  it("lets go of the merged layer", async () => {
    const set = await chain(["base.qcow2", "top.qcow2"], async (each, name) => {
      if (name === "base.qcow2") await each.disks[0]?.write(0, new Uint8Array(512).fill(7));
    });
    await mergeAll(set, "base.qcow2");
    rmSync(at("base.qcow2"));
    await set.close();
    const alone = await open("top.qcow2");
    const sector = new Uint8Array(512);
    await alone.disks[0]?.read(0, sector);
    expect(sector[0]).toBe(7);
    await alone.close();
    expect(existsSync(at("base.qcow2"))).toBe(false);
  });

  it("of layers further down by somebody else is followed by opening them anew", async () => {
    const set = await chain(["base.qcow2", "layer.qcow2", "frozen.qcow2", "top.qcow2"], async (each, name) => {
      if (name === "layer.qcow2") await each.disks[0]?.write(65536, new Uint8Array(512).fill(9));
    });
    const { mediaImages } = await import("../../../main/services/disks/media-images.ts");
    await mediaImages(folder).pullFromBacking(at("frozen.qcow2"), {});
    rmSync(at("layer.qcow2"));
    const sector = new Uint8Array(512);
    await set.disks[0]?.read(65536, sector);
    expect(sector[0]).toBe(9);
    await set.reopenLayers("a");
    await set.disks[0]?.read(65536, sector);
    expect(sector[0]).toBe(9);
    await set.close();
    expect(basename(folder)).toMatch(/^m/);
  });
});
