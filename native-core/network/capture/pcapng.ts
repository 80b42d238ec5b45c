// Packets in pcapng (draft-ietf-opsawg-pcapng), which Wireshark and tcpdump open: one section, one interface, times in nanoseconds.
const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, ENHANCED_PACKET: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
const OPTION = { END: 0, IF_NAME: 2, IF_TSRESOL: 9, EPB_FLAGS: 2, SHB_USERAPPL: 4 } as const;
const NANOSECONDS = 9;

/** Longest frame kept whole: a segment of 64 KiB with its headers. */
const SNAP_BYTES = 0x4_0000;

/** What a capture file begins with. `interfaceName`: as shown in the list of interfaces. */
export function pcapngHeader(interfaceName: string): Uint8Array {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  // The section's length is not known in advance.
  view.setBigInt64(8, -1n, true);
  const application = option(OPTION.SHB_USERAPPL, new TextEncoder().encode("Terrarium"));
  const description = new Uint8Array(8);
  const descriptionView = new DataView(description.buffer);
  descriptionView.setUint16(0, LINKTYPE_ETHERNET, true);
  descriptionView.setUint32(4, SNAP_BYTES, true);
  const name = option(OPTION.IF_NAME, new TextEncoder().encode(interfaceName));
  const resolution = option(OPTION.IF_TSRESOL, Uint8Array.of(NANOSECONDS));
  return concat([
    block(BLOCK.SECTION, [section, application, END]),
    block(BLOCK.INTERFACE, [description, name, resolution, END]),
  ]);
}

/** One frame. `direction` as the guest sees it; `atNs` since 1970. */
export function pcapngPacket(bytes: Uint8Array, direction: "in" | "out", atNs: bigint): Uint8Array {
  const kept = bytes.subarray(0, SNAP_BYTES);
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint32(4, Number(atNs >> 32n), true);
  view.setUint32(8, Number(atNs & 0xffffffffn), true);
  view.setUint32(12, kept.length, true);
  view.setUint32(16, bytes.length, true);
  // epb_flags: 1 inbound, 2 outbound.
  const flags = option(OPTION.EPB_FLAGS, Uint8Array.of(direction === "in" ? 1 : 2, 0, 0, 0));
  return block(BLOCK.ENHANCED_PACKET, [header, padded(kept), flags, END]);
}

const END = new Uint8Array(4);

function option(code: number, value: Uint8Array): Uint8Array {
  const head = new Uint8Array(4);
  const view = new DataView(head.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  return concat([head, padded(value)]);
}

/** type:u32 length:u32 body length:u32 */
function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(12 + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, bytes.length, true);
  return bytes;
}

function padded(bytes: Uint8Array): Uint8Array {
  return bytes.length % 4 === 0 ? bytes : concat([bytes, new Uint8Array(4 - (bytes.length % 4))]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
