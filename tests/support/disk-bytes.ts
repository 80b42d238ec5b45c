// Reads and writes a disk image as the guest would, to see which layer says what.
import { canonical, nodeMediaHost } from "../../native-core/host/media-host.ts";
import { openChain } from "../../native-core/media/chain.ts";

/** Text at the start of sector `sector`. */
export async function writeText(file: string, sector: number, text: string): Promise<void> {
  const image = await openChain(host(), { path: await canonical(file), format: "qcow2", readOnly: false });
  const block = new Uint8Array(512);
  new TextEncoder().encodeInto(text, block);
  await image.write(sector * 512, block);
  await image.close();
}

export async function readText(file: string, sector: number): Promise<string> {
  const image = await openChain(host(), { path: await canonical(file), format: "qcow2", readOnly: true });
  const text = await textAt(image, sector);
  await image.close();
  return text;
}

export async function textAt(
  image: { read(offset: number, target: Uint8Array): Promise<void> },
  sector: number,
): Promise<string> {
  const block = new Uint8Array(512);
  await image.read(sector * 512, block);
  const text = new TextDecoder().decode(block);
  return text.slice(0, text.indexOf("\0"));
}

function host() {
  return nodeMediaHost({ trustedFolders: ["/"] });
}
