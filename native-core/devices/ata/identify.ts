// IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data (ATA8-ACS 7.16, 7.17): 256 words that say what a drive can do.
import { MULTIPLE_MAX } from "./registers.ts";

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const CYLINDERS_MAX = 16383;
const LBA28_SECTORS = 0x0fff_ffff;
/** Multiword DMA 0..2 and Ultra DMA 0..5, PIO 3..4. */
const MULTIWORD_DMA = 0x07;
const ULTRA_DMA = 0x3f;
const PIO_3_4 = 0x03;
const CYCLE_TIME_NS = 120;

export interface DriveIdentity {
  readonly model: string;
  /** At most 20 characters. */
  readonly serial: string;
}

/** The geometry BIOS and old systems see. */
export function diskGeometry(sectors: number): { cylinders: number; heads: number; sectorsPerTrack: number } {
  const cylinders = Math.min(CYLINDERS_MAX, Math.max(1, Math.floor(sectors / (HEADS * SECTORS_PER_TRACK))));
  return { cylinders, heads: HEADS, sectorsPerTrack: SECTORS_PER_TRACK };
}

export interface DiskFacts extends DriveIdentity {
  readonly sectors: number;
  readonly multiple: number;
  readonly writeCache: boolean;
  readonly trim: boolean;
  /** Commands in flight at once over SATA; 0 for IDE. */
  readonly queueDepth: number;
  /** Selected Ultra DMA mode, as a bit in the upper byte of word 88. */
  readonly ultraDmaMode: number;
}

export function identifyDisk(facts: DiskFacts): Uint8Array {
  const words = new Words();
  const { cylinders, heads, sectorsPerTrack } = diskGeometry(facts.sectors);
  words.set(0, 0x0040);
  words.set(1, cylinders).set(3, heads).set(6, sectorsPerTrack);
  words.text(10, 20, facts.serial).text(23, 8, "1.0").text(27, 40, facts.model);
  words.set(47, 0x8000 | MULTIPLE_MAX);
  words.set(48, 1);
  // LBA, DMA, IORDY.
  words.set(49, 0x0b00).set(50, 0x4000).set(51, 0x0200).set(52, 0x0200);
  words.set(53, 0x0007);
  words.set(54, cylinders).set(55, heads).set(56, sectorsPerTrack);
  words.set32(57, cylinders * heads * sectorsPerTrack);
  if (facts.multiple > 0) words.set(59, 0x0100 | facts.multiple);
  words.set32(60, Math.min(facts.sectors, LBA28_SECTORS));
  words.set(63, MULTIWORD_DMA).set(64, PIO_3_4);
  for (const cycle of [65, 66, 67, 68]) words.set(cycle, CYCLE_TIME_NS);
  if (facts.trim) words.set(69, 0x4000).set(105, 8).set(169, 1);
  if (facts.queueDepth > 0) words.set(75, facts.queueDepth - 1).set(76, 0x0106);
  // ATA-4..7; write cache, look-ahead; LBA48 and flushes.
  words.set(80, 0x00f0).set(81, 0x0016);
  words.set(82, 0x4020).set(83, 0x7400).set(84, 0x4000);
  words
    .set(85, 0x4000 | (facts.writeCache ? 0x20 : 0))
    .set(86, 0x3400)
    .set(87, 0x4000);
  words.set(88, ULTRA_DMA | (facts.ultraDmaMode << 8)).set(93, facts.queueDepth > 0 ? 0 : 0x6001);
  words.set32(100, facts.sectors % 2 ** 32).set32(102, Math.floor(facts.sectors / 2 ** 32));
  // Eight logical sectors in a physical one; non-rotating.
  words.set(106, 0x6003).set(217, 1);
  return words.bytes;
}

export function identifyPacketDrive({ model, serial }: DriveIdentity, sata: boolean): Uint8Array {
  const words = new Words();
  // ATAPI CD-ROM, removable, DRQ within 50 us, 12-byte packets.
  words.set(0, 0x85c0);
  words.text(10, 20, serial).text(23, 8, "1.0").text(27, 40, model);
  words.set(48, 1).set(49, 0x0b00).set(53, 0x0007).set(62, MULTIWORD_DMA).set(63, MULTIWORD_DMA).set(64, PIO_3_4);
  for (const cycle of [65, 66, 67, 68]) words.set(cycle, CYCLE_TIME_NS);
  words.set(71, 30).set(72, 30).set(80, 0x001e).set(88, ULTRA_DMA);
  if (sata) words.set(76, 0x0106);
  return words.bytes;
}

class Words {
  readonly bytes = new Uint8Array(512);
  readonly #view = new DataView(this.bytes.buffer);

  set(index: number, value: number): this {
    this.#view.setUint16(index * 2, value, true);
    return this;
  }

  set32(index: number, value: number): this {
    this.#view.setUint32(index * 2, value, true);
    return this;
  }

  /** Padded with blanks, the two characters of each word swapped. */
  text(index: number, length: number, text: string): this {
    const padded = text.slice(0, length).padEnd(length);
    for (let at = 0; at < length; at++) this.bytes[index * 2 + (at ^ 1)] = padded.charCodeAt(at) & 0x7f;
    return this;
  }
}
