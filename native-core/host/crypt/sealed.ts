// Small and large things of an encrypted machine beside its disks: AES-256-GCM, each piece with a random nonce of its own.
//
//   nonce 12 bytes | ciphertext | tag 16 bytes
//
// What a piece is called is authenticated with it, so that none can be put in the place of another.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;
export const MACHINE_KEY_BYTES = 32;

/** Begins a sealed file. */
export const SEALED_MAGIC = Buffer.from("TRRMSEAL", "latin1");

/** What the key of a machine is used for: a key of its own for each purpose (RFC 5869). */
function derived(machineKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", machineKey, new Uint8Array(0), `terrarium ${purpose}`, 32));
}

/** What opens the disk images, also for QEMU. */
export function diskSecret(machineKey: Uint8Array): string {
  return derived(machineKey, "disks").toString("hex");
}

/** Seals what belongs to the memory states of a machine. */
export class StateSeal {
  readonly #key: Buffer;
  readonly #nameKey: Buffer;

  constructor(machineKey: Uint8Array) {
    this.#key = derived(machineKey, "states");
    this.#nameKey = derived(machineKey, "chunk names");
  }

  /** Equal contents have equal names within one machine only; without the key a name says nothing about them. In hex, as SHA-256. */
  nameOf(contents: Uint8Array): string {
    return createHmac("sha256", this.#nameKey).update(contents).digest("hex");
  }

  /** A whole file. */
  sealFile(name: string, plain: Uint8Array): Buffer {
    return Buffer.concat([SEALED_MAGIC, this.seal(name, plain)]);
  }

  seal(name: string, plain: Uint8Array): Buffer {
    return seal(this.#key, name, plain);
  }

  /** Throws when it is not what was sealed under this name with this key. */
  open(name: string, sealed: Uint8Array): Buffer {
    return open(this.#key, name, sealed);
  }
}

export function seal(key: Uint8Array, name: string, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(name));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

export function open(key: Uint8Array, name: string, sealed: Uint8Array): Buffer {
  if (sealed.length < SEAL_BYTES) throw new Error("it is cut off");
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(name)).setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
}
