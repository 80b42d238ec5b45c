// What `kill -9` would leave behind, at every point where a program touches the file system: a copy of a folder is taken before each write,
// sync, rename, link, truncation, creation and removal that a piece of work makes, in one run. (After a kill the page cache is still
// there, so files are as the last call left them.) The same points can be made to fail instead.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

/** Calls that change something, by where they live. */
const CALLBACKS = ["write", "fdatasync", "ftruncate"] as const;
/** Changes something only where it creates a file. */
const OPENING = "open";
const SYNCHRONOUS = [
  "writeSync",
  "fsyncSync",
  "renameSync",
  "linkSync",
  "mkdirSync",
  "rmSync",
  "unlinkSync",
  "copyFileSync",
] as const;
const PROMISES = ["rename", "rm", "mkdir", "link", "unlink", "copyFile", "writeFile"] as const;
const HANDLES = ["writeFile", "sync", "truncate", "write"] as const;

type Functions = Record<string, (...args: unknown[]) => unknown>;

export interface Picture {
  readonly folder: string;
  /** The call that did not happen any more. */
  readonly before: string;
}

/** Runs `work` and yields a picture of `folder` before each call; the last one shows it when everything was done. */
export async function picturesOf(folder: string, target: string, work: () => Promise<void>): Promise<Picture[]> {
  const pictures: Picture[] = [];
  fs.mkdirSync(target, { recursive: true });
  const take = (before: string) => {
    const to = join(target, String(pictures.length));
    // With hard links as such. A file that comes or goes meanwhile is what a kill would meet, too.
    spawnSync("cp", ["-a", "--reflink=auto", folder, to]);
    killOwners(to);
    pictures.push({ folder: to, before });
  };
  await withChanges(
    (before) => {
      take(before);
      return undefined;
    },
    async () => {
      await work();
      take("nothing");
    },
  );
  return pictures;
}

/** Runs `work` and calls `intercept` before each change that it makes; what that yields is what the call fails with. */
export async function withChanges(
  intercept: (before: string) => Error | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const probe = await fs.promises.open(fs.realpathSync("."), "r");
  const handles = Object.getPrototypeOf(probe) as Functions;
  await probe.close();
  const reject = (error: Error) => Promise.reject(error);
  const restore = [
    ...hook(fs as unknown as Functions, CALLBACKS, intercept, callBack),
    ...hook(fs as unknown as Functions, SYNCHRONOUS, intercept, raise),
    ...hook(fs.promises as unknown as Functions, PROMISES, intercept, reject),
    ...hook(fs.promises as unknown as Functions, [OPENING], intercept, reject, isCreating),
    ...hook(handles, HANDLES, intercept, reject),
  ];
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
    syncBuiltinESMExports();
  }
}

function raise(error: Error): never {
  throw error;
}

function callBack(error: Error, args: readonly unknown[]): void {
  process.nextTick(args.at(-1) as (error: Error) => void, error);
}

function isCreating([, flags]: readonly unknown[]): boolean {
  if (typeof flags === "number") return (flags & fs.constants.O_CREAT) !== 0;
  return typeof flags === "string" && /[wa]/.test(flags);
}

/** Locks of this process are those of a dead one in a picture. */
function killOwners(folder: string): void {
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!/\.lock-[rmw]-\d/.test(entry.name)) continue;
    const dead = entry.name.replace(/-\d+-\d+-(\d+)$/, "-999999999-1-$1");
    spawnSync("mv", [join(entry.parentPath, entry.name), join(entry.parentPath, dead)]);
  }
}

function hook(
  owner: Functions,
  names: readonly string[],
  intercept: (before: string) => Error | undefined,
  fail: (error: Error, args: readonly unknown[]) => unknown,
  isChange: (args: readonly unknown[]) => boolean = () => true,
): (() => void)[] {
  return names.map((name) => {
    const original = owner[name];
    if (!original) throw new Error(`there is no ${name}`);
    owner[name] = function (this: unknown, ...args: unknown[]) {
      const file = args.find((arg) => typeof arg === "string") ?? "";
      const error = isChange(args) ? intercept(`${name} ${file}`) : undefined;
      return error ? fail(error, args) : original.apply(this, args);
    };
    return () => {
      owner[name] = original;
    };
  });
}
