// Turns a raw disk into qcow2 with the code that also serves running machines.
import { nodeMediaHost } from "../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../native-core/host/node-image-file.ts";
import { openChain } from "../../native-core/media/chain.ts";
import { copyDisk } from "../../native-core/media/layers.ts";
import { createQcow2 } from "../../native-core/media/qcow2/create.ts";

/** Makes `target` (which must not exist) with what `source` holds; zeroes take no space. */
export async function rawToQcow2(source: string, target: string): Promise<void> {
  const host = nodeMediaHost({ trustedFolders: [] });
  const raw = await openChain(host, { path: source, format: "raw", readOnly: true });
  try {
    const file = await NodeImageFile.open(target, { readOnly: false, create: true });
    await createQcow2(file, raw.sizeBytes);
    await file.close();
    const image = await openChain(host, { path: target, format: "qcow2", readOnly: false });
    try {
      await copyDisk(raw, image);
    } finally {
      await image.close();
    }
  } finally {
    await raw.close();
  }
}
