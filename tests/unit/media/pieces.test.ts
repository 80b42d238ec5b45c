// Scatter-gather requests and reads at once, from the pieces of memory down to a file of the host.
import { afterAll, describe, expect, it } from "vitest";
import { joinPieces, type Pieces, piecesLength, slicePieces } from "../../../native-core/common/pieces.ts";
import { nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("pieces");
afterAll(() => folder.remove());

const KIB = 1024;

/** Pieces of uneven sizes, `length` together, filled with a pattern. */
function pieces(length: number, seed: number): Pieces {
  const found: Uint8Array[] = [];
  for (let done = 0; done < length; ) {
    const size = Math.min(length - done, 512 * (1 + ((done / 512 + seed) % 7)));
    found.push(Uint8Array.from({ length: size }, (_, at) => (seed + done + at * 7) & 0xff));
    done += size;
  }
  return found;
}

async function chain(): Promise<{ below: string; above: string }> {
  const below = folder.file("below.qcow2");
  const above = folder.file("above.qcow2");
  for (const [path, backing] of [
    [below, undefined],
    [above, { name: "below.qcow2", format: "qcow2" as const }],
  ] as const) {
    const file = await NodeImageFile.open(path, { readOnly: false, create: true });
    await createQcow2(file, 1 << 20, backing);
    await file.close();
  }
  return { below, above };
}

describe("Pieces of memory", () => {
  it("are cut anywhere", () => {
    const whole = joinPieces(pieces(9000, 1));
    for (const [from, to] of [
      [0, 9000],
      [511, 513],
      [512, 1024],
      [700, 8999],
      [3, 3],
    ] as const) {
      expect(joinPieces(slicePieces(pieces(9000, 1), from, to))).toEqual(whole.slice(from, to));
    }
  });

  it("hold what an image with layers reads as, at once where nothing has to be waited for", async () => {
    const { below, above } = await chain();
    const host = nodeMediaHost({ trustedFolders: [folder.path] });
    const base = await openChain(host, { path: below, format: "qcow2", readOnly: false });
    await base.writePieces(0, pieces(200 * KIB, 3));
    await base.close();
    const image = await openChain(host, { path: above, format: "qcow2", readOnly: false });
    await image.writePieces(100 * KIB + 512, pieces(150 * KIB, 5));
    await image.writeZeroes(300 * KIB, 64 * KIB, true);

    const expected = new Uint8Array(1 << 20);
    expected.set(joinPieces(pieces(200 * KIB, 3)));
    expected.set(joinPieces(pieces(150 * KIB, 5)), 100 * KIB + 512);
    for (const [offset, length] of [
      [0, 1 << 20],
      [99 * KIB, 3 * KIB],
      [249 * KIB, 512],
      [199 * KIB, 120 * KIB],
    ] as const) {
      const awaited = pieces(length, 9);
      await image.readPieces(offset, awaited);
      expect(joinPieces(awaited)).toEqual(expected.slice(offset, offset + length));
      const atOnce = pieces(length, 11);
      // A busy computer may have made one read slow: then it does not try.
      if (image.readNow(offset, atOnce)) expect(joinPieces(atOnce)).toEqual(expected.slice(offset, offset + length));
    }
    await image.close();
    expect(piecesLength(pieces(9000, 1))).toBe(9000);
  });
});
