// Folders of the host that a guest may mount: a name under which it finds each, and what it may do there. They belong to this host, not to
// the machine: snapshots don't take them back, and files and backups don't carry them (docs/adr/0044).
import { z } from "zod";

export const SHARED_FOLDERS_MAX = 16;
const NAME_MAX = 64;
const NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N} ._-]*[\p{L}\p{N}_-])?$/u;

const sharedFolderSchema = z.strictObject({
  /** The folder that the guest finds it as, below where it mounts shared folders. */
  name: z
    .string()
    .min(1, "a name is needed")
    .max(NAME_MAX, `at most ${NAME_MAX} characters`)
    .regex(NAME, "letters, digits, spaces, dots, dashes and underscores, starting with a letter or digit"),
  /** Of the folder on the host. */
  path: z
    .string()
    .min(1, "a folder is needed")
    .max(4096)
    .regex(/^(?:\/|[A-Za-z]:[\\/]|\\\\)[^\0]*$/, "the whole path of a folder"),
  readOnly: z.boolean(),
});
export type SharedFolderConfig = z.infer<typeof sharedFolderSchema>;

export const sharedFoldersSchema = z
  .array(sharedFolderSchema)
  .max(SHARED_FOLDERS_MAX, `at most ${SHARED_FOLDERS_MAX} shared folders`)
  .refine(
    (folders) => new Set(folders.map(({ name }) => name.toLowerCase())).size === folders.length,
    "each folder has its own name",
  );

/** What a folder is called that nobody has named: by the last part of its path, with a number if that is taken. */
export function nameForFolder(path: string, others: readonly { readonly name: string }[]): string {
  const last = path.split(/[\\/]/).findLast((part) => part !== "") ?? "";
  const plain = last
    .replace(/[^\p{L}\p{N} ._-]/gu, "-")
    .replace(/^[ .-]+|[ .]+$/gu, "")
    .slice(0, NAME_MAX - 4)
    .trimEnd();
  const base = NAME.test(plain) ? plain : "folder";
  const isTaken = (name: string): boolean => others.some((each) => each.name.toLowerCase() === name.toLowerCase());
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!isTaken(name)) return name;
  }
}
