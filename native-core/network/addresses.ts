// IP and MAC addresses and address ranges, as text and as bytes. Addresses are Uint8Arrays of 4 or 16 bytes in network order.

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Undefined when the text is not six bytes in hexadecimal. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
}

/** `192.0.2.1` or `2001:db8::1`; undefined for anything else (no zone, no prefix). */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6Address(text) : parseIpv4Address(text);
}

function parseIpv4Address(text: string): Uint8Array | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  return parts.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined;
}

function parseIpv6Address(text: string): Uint8Array | undefined {
  let rest = text;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail) {
    const v4 = parseIpv4Address(tail[2] as string);
    if (!v4) return undefined;
    const word = (i: number) => (((v4[i] as number) << 8) | (v4[i + 1] as number)).toString(16);
    rest = `${tail[1]}${word(0)}:${word(2)}`;
  }
  const halves = rest.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], end = []] = groups;
  const missing = 8 - head.length - end.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...end];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const bytes = new Uint8Array(16);
  all.forEach((group, index) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * index] = value >>> 8;
    bytes[2 * index + 1] = value & 0xff;
  });
  return bytes;
}

export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  // RFC 5952 4.2.3: the longest run of zeroes is left out, the first of equals.
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.length < 2) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}

export interface AddressRange {
  readonly address: Uint8Array;
  /** Leading bits that count. */
  readonly prefix: number;
}

/** `10.0.0.0/8`, `fd00::/8`, or a single address. */
export function parseRange(text: string): AddressRange | undefined {
  const [addressText = "", prefixText, ...more] = text.split("/");
  const address = parseAddress(addressText);
  if (!address || more.length > 0) return undefined;
  const bits = address.length * 8;
  if (prefixText === undefined) return { address, prefix: bits };
  const prefix = Number(prefixText);
  return /^\d{1,3}$/.test(prefixText) && prefix <= bits ? { address, prefix } : undefined;
}

export function inRange(address: Uint8Array, range: AddressRange): boolean {
  return inRangeAt(address, 0, address.length, range);
}

/** The same for an address of `length` bytes that lies in a packet. */
export function inRangeAt(bytes: Uint8Array, at: number, length: number, range: AddressRange): boolean {
  if (length !== range.address.length) return false;
  const whole = range.prefix >>> 3;
  for (let i = 0; i < whole; i++) if (bytes[at + i] !== range.address[i]) return false;
  const rest = range.prefix & 7;
  if (rest === 0) return true;
  return ((bytes[at + whole] as number) ^ (range.address[whole] as number)) >>> (8 - rest) === 0;
}

export function sameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
