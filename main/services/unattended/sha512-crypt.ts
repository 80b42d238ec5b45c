// Hashes passwords as Linux keeps them in /etc/shadow: SHA-512 crypt, `$6$SALT$HASH` (U. Drepper, "Unix crypt using SHA-256 and SHA-512",
// 2008). Node has no crypt(3).
import { createHash, randomBytes } from "node:crypto";

const ROUNDS = 5000;
const SALT_MAX = 16;
const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const sha512 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The first `length` bytes of `block` over and over. */
function repeated(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}

/** `salt`: up to 16 characters of the alphabet above. */
export function sha512Crypt(password: string, salt: string = randomSalt()): string {
  const key = Buffer.from(password, "utf8");
  const grain = Buffer.from(salt.slice(0, SALT_MAX), "latin1");
  const inner = sha512(key, grain, key);
  const bits: Buffer[] = [];
  for (let rest = key.length; rest > 0; rest >>>= 1) bits.push(rest & 1 ? inner : key);
  let digest = sha512(key, grain, repeated(inner, key.length), ...bits);
  const p = repeated(sha512(...Array<Buffer>(key.length).fill(key)), key.length);
  const s = repeated(sha512(...Array<Buffer>(16 + (digest[0] ?? 0)).fill(grain)), grain.length);
  for (let round = 0; round < ROUNDS; round++) {
    const odd = round % 2 === 1;
    const parts = [odd ? p : digest];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push(odd ? digest : p);
    digest = sha512(...parts);
  }
  return `$6$${grain.toString("latin1")}$${encode(digest)}`;
}

/** Groups of three bytes, each from another third of the digest; which third comes first turns by one each time. */
function encode(digest: Buffer): string {
  let text = "";
  for (let group = 0; group < 21; group++) {
    const thirds = [0, 1, 2].map((third) => digest[group + 21 * ((group + third) % 3)] ?? 0);
    const [high = 0, middle = 0, low = 0] = thirds;
    text += digits((high << 16) | (middle << 8) | low, 4);
  }
  return text + digits(digest[63] ?? 0, 2);
}

/** Least significant six bits first. */
function digits(value: number, count: number): string {
  return Array.from({ length: count }, (_, index) => DIGITS[(value >>> (6 * index)) & 63]).join("");
}

function randomSalt(): string {
  return Array.from(randomBytes(SALT_MAX), (byte) => DIGITS[byte & 63]).join("");
}
