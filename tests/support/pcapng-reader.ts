// Reads back what a capture wrote, checking the structure of the file on the way.

export interface CapturedPacket {
  readonly bytes: Uint8Array;
  readonly atNs: bigint;
  readonly direction: "in" | "out" | undefined;
}

/** Throws when the file is not a little-endian pcapng section with one Ethernet interface. */
export function readPcapng(file: Uint8Array): { interfaceName: string; packets: CapturedPacket[] } {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let interfaceName: string | undefined;
  const packets: CapturedPacket[] = [];
  for (let at = 0; at < file.length; ) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (length % 4 !== 0 || view.getUint32(at + length - 4, true) !== length) throw new Error(`bad block at ${at}`);
    if (at === 0 && (type !== 0x0a0d0d0a || view.getUint32(8, true) !== 0x1a2b3c4d)) throw new Error("no section");
    if (type === 1) {
      if (view.getUint16(at + 8, true) !== 1) throw new Error("not Ethernet");
      interfaceName = new TextDecoder().decode(options(file, at + 16, at + length - 4).get(2));
    }
    if (type === 6) packets.push(packetAt(file, view, at, length));
    at += length;
  }
  if (interfaceName === undefined) throw new Error("no interface");
  return { interfaceName, packets };
}

function packetAt(file: Uint8Array, view: DataView, at: number, length: number): CapturedPacket {
  const captured = view.getUint32(at + 20, true);
  const start = at + 28;
  const flags = options(file, start + ((captured + 3) & ~3), at + length - 4).get(2)?.[0];
  return {
    bytes: file.slice(start, start + captured),
    atNs: (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 16, true)),
    direction: flags === 1 ? "in" : flags === 2 ? "out" : undefined,
  };
}

function options(file: Uint8Array, start: number, end: number): Map<number, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const found = new Map<number, Uint8Array>();
  for (let at = start; at + 4 <= end; ) {
    const code = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (code === 0) break;
    found.set(code, file.subarray(at + 4, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
  return found;
}
