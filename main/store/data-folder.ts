// The data folder: where everything that outlives the app lies.
//
//   terrarium.db            index of machines and snapshots (SQLite)
//   machines/<id>/          machine.json, disks/, snapshots/<id>/, saved-state/, logs/
//   chunks/                 guest memory of all saved states and snapshots, content-addressed
//   media/                  downloads of the catalogue (main/services/downloads)
//   trash/                  removed machines and orphans, until emptied
//   run/                    lock, sockets and the host's control file; worthless after a restart
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { ioFailure } from "./io-error.ts";

export interface DataFolder {
  readonly root: string;
  readonly database: string;
  readonly machines: string;
  readonly chunks: string;
  readonly trash: string;
  readonly run: string;
}

export interface MachinePaths {
  readonly folder: string;
  readonly record: string;
  readonly disks: string;
  readonly snapshots: string;
  readonly savedState: string;
  /** Memory of an encrypted machine; that of others is in the data folder's. */
  readonly chunks: string;
  readonly logs: string;
  readonly screenshot: string;
}

export interface HomeEnvironment {
  readonly platform: NodeJS.Platform;
  readonly homedir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `--home`, else TERRARIUM_HOME, else the place the operating system has for application data. */
export function resolveHome(option: string | undefined, from: HomeEnvironment = currentEnvironment()): string {
  const chosen = option ?? from.env["TERRARIUM_HOME"];
  if (chosen !== undefined && chosen !== "") return path.resolve(chosen);
  switch (from.platform) {
    case "darwin":
      return path.join(from.homedir, "Library", "Application Support", "Terrarium");
    case "win32":
      // Local, not Roaming: disks must not travel with a domain profile.
      return path.join(from.env["LOCALAPPDATA"] ?? path.join(from.homedir, "AppData", "Local"), "Terrarium");
    default:
      return path.join(from.env["XDG_DATA_HOME"] || path.join(from.homedir, ".local", "share"), "terrarium");
  }
}

function currentEnvironment(): HomeEnvironment {
  return { platform: process.platform, homedir: os.homedir(), env: process.env };
}

/** Makes the folders that are missing, readable by this user only. */
export async function openDataFolder(root: string): Promise<DataFolder> {
  const folder: DataFolder = {
    root,
    database: path.join(root, "terrarium.db"),
    machines: path.join(root, "machines"),
    chunks: path.join(root, "chunks"),
    trash: path.join(root, "trash"),
    run: path.join(root, "run"),
  };
  try {
    for (const each of [root, folder.machines, folder.chunks, folder.trash, folder.run]) {
      await mkdir(each, { recursive: true, mode: 0o700 });
    }
    await requireRoom(folder.run);
  } catch (error) {
    throw ioFailure(error, root, { field: "home", consequence: "Terrarium can't keep its data there." });
  }
  return folder;
}

/** What a start writes at least. */
const ROOM_BYTES = 256 * 1024;

/** Tried out before the database is touched: what SQLite reports of a full or read-only disk names neither. */
async function requireRoom(folder: string): Promise<void> {
  const probe = path.join(folder, `room-${process.pid}`);
  try {
    await writeFile(probe, Buffer.alloc(ROOM_BYTES), { mode: 0o600 });
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

export function machinePaths(data: DataFolder, id: string): MachinePaths {
  return machinePathsIn(path.join(data.machines, id));
}

export function machinePathsIn(folder: string): MachinePaths {
  return {
    folder,
    record: path.join(folder, "machine.json"),
    disks: path.join(folder, "disks"),
    snapshots: path.join(folder, "snapshots"),
    savedState: path.join(folder, "saved-state"),
    chunks: path.join(folder, "chunks"),
    logs: path.join(folder, "logs"),
    screenshot: path.join(folder, "screen.png"),
  };
}

/** sun_path holds 108 bytes on Linux and 104 on macOS, the final zero included. */
const SOCKET_PATH_MAX = 103;

/** Where a VM's data socket listens: in run/ where the path is short enough, else in a private folder of the temporary directory. */
export async function dataSocketPath(data: DataFolder, machineId: string): Promise<string> {
  const tag = createHash("sha256").update(data.root).digest("hex").slice(0, 12);
  if (process.platform === "win32") return `\\\\.\\pipe\\terrarium-${tag}-${machineId}`;
  const inRun = path.join(data.run, `${machineId}.sock`);
  if (Buffer.byteLength(inRun) <= SOCKET_PATH_MAX) return inRun;
  const folder = path.join(os.tmpdir(), `terrarium-${process.getuid?.() ?? 0}-${tag}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return path.join(folder, `${machineId}.sock`);
}
