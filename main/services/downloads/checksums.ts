// Lists of checksums as publishers write them: of GNU (`HEX  NAME`, `HEX *NAME`), of BSD (`SHA256 (NAME) = HEX`), or one bare number.
import { AppError } from "../../../native-core/common/errors.ts";

export interface Checksum {
  readonly algorithm: "sha256" | "sha512";
  /** In small letters. */
  readonly hex: string;
}

const ALGORITHM_BY_DIGITS: Readonly<Record<number, Checksum["algorithm"]>> = { 64: "sha256", 128: "sha512" };

const GNU = /^([0-9a-f]+)[ \t]+[ *]?(\S.*)$/i;
const BSD = /^(?:SHA256|SHA512) ?\((.+)\) ?= ?([0-9a-f]+)$/i;

/** Names with their checksums. Lines of other kinds (signatures, comments, MD5) are passed over. */
export function parseChecksums(text: string): Map<string, Checksum> {
  const found = new Map<string, Checksum>();
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    const gnu = GNU.exec(line);
    const bsd = gnu ? null : BSD.exec(line);
    const [name, hex] = gnu ? [gnu[2], gnu[1]] : [bsd?.[1], bsd?.[2]];
    const algorithm = ALGORITHM_BY_DIGITS[hex?.length ?? 0];
    if (name !== undefined && hex !== undefined && algorithm !== undefined)
      found.set(name.replace(/^\.\//, ""), { algorithm, hex: hex.toLowerCase() });
  }
  return found;
}

/** The newest name that the whole of `pattern` matches: later versions come last in the order of their numbers. @throws AppError NOT_FOUND */
export function chooseFile(
  sums: ReadonlyMap<string, Checksum>,
  pattern: string,
  list: string,
): { readonly name: string; readonly checksum: Checksum } {
  const whole = new RegExp(`^(?:${pattern})$`);
  const names = [...sums.keys()].filter((name) => whole.test(name));
  const name = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  const checksum = name === undefined ? undefined : sums.get(name);
  if (name !== undefined && checksum) return { name, checksum };
  throw new AppError("NOT_FOUND", "The publisher has no such file any more", {
    file: list,
    consequence: "Nothing was downloaded.",
    remedy: "Get the disc from the publisher's page and choose the file by hand.",
  });
}
