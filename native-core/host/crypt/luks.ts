// LUKS version 1 headers (LUKS On-Disk Format Specification 1.2.3): where an encrypted image keeps its key, itself encrypted with a secret.
// Big-endian:
//
//   0  "LUKS\xba\xbe"   8  cipher   72  hash      108  key bytes     132  ... its salt        168  UUID
//   6  version         40  mode    104  payload   112  key's digest  164  ... its iterations  208  8 slots of 48 bytes:
//                                                       0 active  4 iterations  8 salt  40 key material at  44 stripes
//
// The secret is not a passphrase but a random key of the machine (machine-key.ts), so few iterations do: nobody can try them all.
import { hash, pbkdf2Sync, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { AppError } from "../../common/errors.ts";
import type { ImageFile } from "../../media/image-file.ts";
import { invalidImage } from "../../media/media-error.ts";
import { SECTOR_BYTES, XTS_KEY_BYTES, XtsCipher } from "./xts.ts";

const MAGIC = Buffer.from("LUKS\xba\xbe", "latin1");
const HEADER_BYTES = 592;
const SLOT_AT = 208;
const SLOT_BYTES = 48;
const SLOTS = 8;
const ACTIVE = 0x00ac71f3;
const INACTIVE = 0x0000dead;
const STRIPES = 4000;
const DIGEST_BYTES = 20;
const SALT_BYTES = 32;
/** The least that cryptsetup takes. */
const ITERATIONS = 1000;
/** A hostile header shall not keep us busy for minutes. */
const ITERATIONS_MAX = 10_000_000;
const MATERIAL_SECTORS = (XTS_KEY_BYTES * STRIPES) / SECTOR_BYTES;
const SLOT_SECTORS = 504;
const FIRST_SLOT_SECTOR = 8;
const HASH = "sha256";
const HASH_BYTES = 32;

/** Room for the header and all slots; only the first one is used and takes space. */
export const LUKS_BYTES = 2 << 20;

/** A header for a new random key, to be written where LUKS_BYTES are reserved, and that key's cipher. */
export function createLuks(secret: string): { header: Uint8Array; cipher: XtsCipher } {
  const key = randomBytes(XTS_KEY_BYTES);
  const header = Buffer.alloc((FIRST_SLOT_SECTOR + MATERIAL_SECTORS) * SECTOR_BYTES);
  MAGIC.copy(header);
  header.writeUInt16BE(1, 6);
  header.write("aes", 8, "latin1");
  header.write("xts-plain64", 40, "latin1");
  header.write(HASH, 72, "latin1");
  header.writeUInt32BE(LUKS_BYTES / SECTOR_BYTES, 104);
  header.writeUInt32BE(XTS_KEY_BYTES, 108);
  const digestSalt = randomBytes(SALT_BYTES);
  pbkdf2Sync(key, digestSalt, ITERATIONS, DIGEST_BYTES, HASH).copy(header, 112);
  digestSalt.copy(header, 132);
  header.writeUInt32BE(ITERATIONS, 164);
  header.write(randomUUID(), 168, "latin1");
  const salt = randomBytes(SALT_BYTES);
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = SLOT_AT + slot * SLOT_BYTES;
    header.writeUInt32BE(slot === 0 ? ACTIVE : INACTIVE, at);
    if (slot === 0) header.writeUInt32BE(ITERATIONS, at + 4);
    if (slot === 0) salt.copy(header, at + 8);
    header.writeUInt32BE(FIRST_SLOT_SECTOR + slot * SLOT_SECTORS, at + 40);
    header.writeUInt32BE(STRIPES, at + 44);
  }
  const slotCipher = new XtsCipher(pbkdf2Sync(secret, salt, ITERATIONS, XTS_KEY_BYTES, HASH));
  header.set(slotCipher.encrypt(0, split(key)), FIRST_SLOT_SECTOR * SECTOR_BYTES);
  return { header, cipher: new XtsCipher(key) };
}

/** The cipher of an image whose LUKS header is at `offset`. Throws AppError: not a sound header, or another secret than it was made with. */
export async function openLuks(file: ImageFile, offset: number, length: number, secret: string): Promise<XtsCipher> {
  const header = Buffer.alloc(HEADER_BYTES);
  const bad = (field: string, problem: string) => invalidImage(file.name, `encryption: ${field}`, problem);
  if (length < HEADER_BYTES || (await file.read(offset, header)) < HEADER_BYTES) throw bad("header", "is cut off");
  if (!header.subarray(0, 6).equals(MAGIC) || header.readUInt16BE(6) !== 1) throw bad("magic", "is not that of LUKS 1");
  const text = (at: number) => header.toString("latin1", at, at + 32).split("\0")[0] ?? "";
  const algorithm = `${text(8)}-${text(40)} ${text(72)}`;
  if (algorithm !== `aes-xts-plain64 ${HASH}` || header.readUInt32BE(108) !== XTS_KEY_BYTES) {
    throw bad(
      "algorithm",
      `is ${JSON.stringify(algorithm.slice(0, 80))}, not aes-xts-plain64 with 512 bits and ${HASH}`,
    );
  }
  const iterations = (at: number): number => {
    const count = header.readUInt32BE(at);
    if (count < 1 || count > ITERATIONS_MAX) throw bad("iterations", "is out of range");
    return count;
  };
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = SLOT_AT + slot * SLOT_BYTES;
    if (header.readUInt32BE(at) !== ACTIVE) continue;
    const materialAt = header.readUInt32BE(at + 40) * SECTOR_BYTES;
    const material = Buffer.alloc(MATERIAL_SECTORS * SECTOR_BYTES);
    if (header.readUInt32BE(at + 44) !== STRIPES || materialAt + material.length > length) {
      throw bad(`key slot ${slot}`, "is out of range");
    }
    if ((await file.read(offset + materialAt, material)) < material.length) throw bad(`key slot ${slot}`, "is cut off");
    const salt = header.subarray(at + 8, at + 8 + SALT_BYTES);
    const slotCipher = new XtsCipher(pbkdf2Sync(secret, salt, iterations(at + 4), XTS_KEY_BYTES, HASH));
    const key = merge(slotCipher.decrypt(0, material));
    const digest = pbkdf2Sync(key, header.subarray(132, 132 + SALT_BYTES), iterations(164), DIGEST_BYTES, HASH);
    if (timingSafeEqual(digest, header.subarray(112, 112 + DIGEST_BYTES))) return new XtsCipher(key);
  }
  throw new AppError("PERMISSION_DENIED", `${file.name} is encrypted with another key than its machine's`, {
    file: file.name,
    field: "encryption",
    consequence: "The image was not opened and nothing was changed.",
    remedy: "Bring back the machine.json that belongs to this image.",
  });
}

/** Anti-forensic splitter (specification 2.4): all stripes are needed to get the key back. */
function split(key: Uint8Array): Uint8Array {
  const material = randomBytes(XTS_KEY_BYTES * STRIPES);
  const last = material.subarray(XTS_KEY_BYTES * (STRIPES - 1));
  last.set(mixed(material));
  for (let index = 0; index < key.length; index++) last[index] = (last[index] as number) ^ (key[index] as number);
  return material;
}

function merge(material: Uint8Array): Uint8Array {
  const key = mixed(material);
  const last = material.subarray(XTS_KEY_BYTES * (STRIPES - 1));
  for (let index = 0; index < key.length; index++) key[index] = (key[index] as number) ^ (last[index] as number);
  return key;
}

/** All stripes but the last one, each added and then spread by the hash. */
function mixed(material: Uint8Array): Uint8Array {
  let sum = new Uint8Array(XTS_KEY_BYTES);
  const block = Buffer.alloc(4 + HASH_BYTES);
  for (let stripe = 0; stripe < STRIPES - 1; stripe++) {
    const at = stripe * XTS_KEY_BYTES;
    const spread = new Uint8Array(XTS_KEY_BYTES);
    for (let index = 0; index < XTS_KEY_BYTES; index++)
      sum[index] = (sum[index] as number) ^ (material[at + index] as number);
    for (let piece = 0; piece * HASH_BYTES < XTS_KEY_BYTES; piece++) {
      block.writeUInt32BE(piece, 0);
      block.set(sum.subarray(piece * HASH_BYTES, (piece + 1) * HASH_BYTES), 4);
      spread.set(hash(HASH, block, "buffer"), piece * HASH_BYTES);
    }
    sum = spread;
  }
  return sum;
}
