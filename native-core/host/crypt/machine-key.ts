// The key of an encrypted machine: random, and kept in machine.json sealed with a key that scrypt makes of the passphrase. So another
// passphrase needs nothing but another seal.
import { randomBytes, scrypt } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../common/errors.ts";
import { MACHINE_KEY_BYTES, open, seal } from "./sealed.ts";

/** 128 MiB and a few tenths of a second per attempt (RFC 7914; OWASP's first choice of parameters). */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
/** Bounds on what a hostile machine.json can make us compute: 1 GiB. */
const N_MAX = 2 ** 20;
const R_MAX = 8;
const P_MAX = 4;
const SALT_BYTES = 32;
const NAME = "machine key";

const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/);

export const wrappedKeySchema = z.strictObject({
  kdf: z.literal("scrypt"),
  n: z
    .int()
    .min(2)
    .max(N_MAX)
    .refine((n) => Number.isInteger(Math.log2(n)), "a power of two"),
  r: z.int().min(1).max(R_MAX),
  p: z.int().min(1).max(P_MAX),
  salt: hex.max(256),
  /** The machine's key, sealed (sealed.ts). */
  sealed: hex.max(256),
});
export type WrappedKey = z.infer<typeof wrappedKeySchema>;

export function newMachineKey(): Uint8Array {
  return randomBytes(MACHINE_KEY_BYTES);
}

export async function wrapKey(machineKey: Uint8Array, passphrase: string): Promise<WrappedKey> {
  const salt = randomBytes(SALT_BYTES);
  const sealed = seal(await derive(passphrase, salt, COST), NAME, machineKey);
  return { kdf: "scrypt", ...COST, salt: salt.toString("hex"), sealed: sealed.toString("hex") };
}

/** @throws AppError PERMISSION_DENIED for another passphrase than it was wrapped with. */
export async function unwrapKey(wrapped: WrappedKey, passphrase: string): Promise<Uint8Array> {
  const key = await derive(passphrase, Buffer.from(wrapped.salt, "hex"), wrapped);
  try {
    return open(key, NAME, Buffer.from(wrapped.sealed, "hex"));
  } catch {
    throw new AppError("PERMISSION_DENIED", "The passphrase is not right", {
      field: "passphrase",
      consequence: "Nothing was changed.",
      remedy: "Enter it again. Without it nobody can read the machine's disks and states.",
    });
  }
}

/** The same characters typed on another keyboard may be other code points: they are brought to one form first. */
function derive(passphrase: string, salt: Uint8Array, { n, r, p }: Pick<WrappedKey, "n" | "r" | "p">): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + (1 << 20) };
    scrypt(passphrase.normalize("NFKC"), salt, MACHINE_KEY_BYTES, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
