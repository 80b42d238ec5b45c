// The longer answers of a CD/DVD drive: who it is, what it can do, what is on the disc (SPC-4 6.6, MMC-5 chapters 5 to 7).
import { CD_BLOCK_BYTES } from "./registers.ts";

const CD_ROM_DEVICE = 0x05;
const REMOVABLE = 0x80;
const PROFILE = { CD_ROM: 0x0008, DVD_ROM: 0x0010 } as const;
/** Discs above this many bytes are DVDs. */
const CD_MAX_BYTES = 900 * 1000 * 1000;
const PAGE = { ERROR_RECOVERY: 0x01, AUDIO: 0x0e, TIMEOUT: 0x1d, CAPABILITIES: 0x2a, ALL: 0x3f } as const;
const LEAD_OUT = 0xaa;
const DATA_TRACK = 0x14;
/** Blocks of the lead-in, which addresses in minutes, seconds and frames count. */
const LEAD_IN_BLOCKS = 150;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const word = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const dword = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];

/** Undefined for vital product data that is not there. */
export function inquiryData(vital: boolean, page: number): Uint8Array | undefined {
  if (vital) {
    if (page === 0x00) return Uint8Array.of(CD_ROM_DEVICE, 0, 0, 2, 0x00, 0x83);
    if (page !== 0x83) return undefined;
    const name = ascii("TERRARIUM CD-ROM");
    return Uint8Array.from([CD_ROM_DEVICE, 0x83, 0, name.length + 4, 2, 0, 0, name.length, ...name]);
  }
  if (page !== 0) return undefined;
  return Uint8Array.from([
    ...[CD_ROM_DEVICE, REMOVABLE, 0x05, 0x32, 31, 0, 0, 0],
    ...ascii("TERRARIU"),
    ...ascii("DVD-ROM         "),
    ...ascii("1.0 "),
  ]);
}

/** Features (MMC-5 5.3): those asked for, from number `first` on. */
export function driveConfiguration(discBytes: number, request: number, first: number): Uint8Array {
  const profile = discBytes === 0 ? 0 : discBytes > CD_MAX_BYTES ? PROFILE.DVD_ROM : PROFILE.CD_ROM;
  const current = (number: number): number => (profile === number ? 1 : 0);
  const features: (readonly [number: number, current: boolean, ...data: number[]])[] = [
    [
      0x0000,
      true,
      ...[...word(PROFILE.DVD_ROM), current(PROFILE.DVD_ROM), 0],
      ...[...word(PROFILE.CD_ROM), current(PROFILE.CD_ROM), 0],
    ],
    // Core: ATAPI, with device busy events.
    [0x0001, true, ...dword(2), 1, 0, 0, 0],
    [0x0002, true, 2, 0, 0, 0],
    // Removable medium: tray, ejects, locks.
    [0x0003, true, 0x29, 0, 0, 0],
    [0x0010, profile !== 0, ...dword(CD_BLOCK_BYTES), ...word(1), 0, 0],
    [0x001e, profile === PROFILE.CD_ROM, 0, 0, 0, 0],
    [0x001f, profile === PROFILE.DVD_ROM],
  ];
  const chosen = features.filter(([number, isCurrent]) =>
    request === 2 ? number === first : number >= first && (request === 0 || isCurrent),
  );
  const body = chosen.flatMap(([number, isCurrent, ...content]) => [
    ...word(number),
    0x02 | (isCurrent ? 1 : 0),
    content.length,
    ...content,
  ]);
  return Uint8Array.from([...dword(body.length + 4), 0, 0, ...word(profile), ...body]);
}

/** Undefined for a page that is not there. */
export function modePages(page: number, locked: boolean): Uint8Array | undefined {
  const pages: Record<number, readonly number[]> = {
    [PAGE.ERROR_RECOVERY]: [0x00, 5, 0, 0, 0, 0],
    [PAGE.AUDIO]: [0x04, 0, 0, 0, 0, 0x4b, 1, 0xff, 2, 0xff, 0, 0, 0, 0],
    [PAGE.TIMEOUT]: [0, 0, 0, 0, 0, 60, 0, 60],
    // Reads CD-R, CD-RW, DVD-ROM; mode 2; tray that locks and ejects; 4 MB/s, buffer of 512 KB.
    [PAGE.CAPABILITIES]: [
      ...[0x0b, 0x00, 0x70, 0x60, locked ? 0x2b : 0x29, 0x00],
      ...[...word(4234), ...word(2), ...word(512), ...word(4234), 0, 0, 0, 0],
    ],
  };
  const wanted = page === PAGE.ALL ? Object.keys(pages).map(Number) : [page];
  const parts: number[] = [];
  for (const number of wanted) {
    const content = pages[number];
    if (!content) return undefined;
    parts.push(number, content.length, ...content);
  }
  return Uint8Array.from(parts);
}

/** One data track (MMC-5 6.26): formats 0 (tracks), 1 (sessions) and 2 (full); undefined for others. */
export function tableOfContents(
  format: number,
  inTime: boolean,
  first: number,
  blocks: number,
): Uint8Array | undefined {
  const position = (block: number): number[] => (inTime ? [0, ...time(block)] : dword(block));
  const withLength = (body: number[]): Uint8Array => Uint8Array.from([...word(body.length), ...body]);
  if (format === 0) {
    if (first > 1 && first !== LEAD_OUT) return undefined;
    const track = [0, DATA_TRACK, 1, 0, ...position(0)];
    const leadOut = [0, DATA_TRACK, LEAD_OUT, 0, ...position(blocks)];
    return withLength([1, 1, ...(first <= 1 ? track : []), ...leadOut]);
  }
  if (format === 1) return withLength([1, 1, 0, DATA_TRACK, 1, 0, ...position(0)]);
  if (format !== 2) return undefined;
  const point = (number: number, ...place: number[]): number[] => [1, DATA_TRACK, 0, number, 0, 0, 0, 0, ...place];
  return withLength([
    ...[1, 1],
    ...point(0xa0, 1, 0, 0),
    ...point(0xa1, 1, 0, 0),
    ...point(0xa2, ...time(blocks)),
    ...point(1, ...time(0)),
  ]);
}

/** Minutes, seconds, frames. */
function time(block: number): number[] {
  const frames = block + LEAD_IN_BLOCKS;
  return [Math.floor(frames / 4500) & 0xff, Math.floor(frames / 75) % 60, frames % 75];
}
