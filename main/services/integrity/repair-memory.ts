// Repairs a memory state of a machine from whatever else the host has: packs of other states, the same pages in other states, backups.
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import type { StateSeal } from "../../../native-core/host/crypt/sealed.ts";
import { PACKS_FOLDER, PAGES_FILE, STATE_FILE } from "../../../native-core/host/state/format.ts";
import {
  type ChunkSource,
  chunksOfFolders,
  digestOf,
  pagesOfState,
} from "../../../native-core/host/state/repair-sources.ts";
import { repairState, type StateRepair } from "../../../native-core/host/state/repair-state.ts";
import {
  decodePagesFile,
  decodeStateFile,
  readPageMap,
  readState,
} from "../../../native-core/host/state/state-folder.ts";
import { putFile, syncFolder } from "../../store/atomic-file.ts";
import { machinePathsIn } from "../../store/data-folder.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { chunkFolderOf, statesBeside } from "../space/memory-chunks.ts";
import { chunksOfBackups, type KeptBackup, readContents } from "./backup-contents.ts";

/** The machine's operations are held, and those on chunks (`chunkWork`). @throws AppError when the state can't be read at all */
export async function repairMemory(
  context: ServiceContext,
  machine: Machine,
  folder: string,
  backups: readonly KeptBackup[],
): Promise<StateRepair> {
  const seal = context.keys.sealOf(machine);
  const others = statesBeside(context, machine)
    .map((state) => state.folder)
    .filter((each) => each !== folder);
  // Backups hold nothing of encrypted machines.
  const readable = seal ? [] : backups;
  await repairFiles(folder, others, readable, seal);
  const trashed = await statesInTrash(context);
  const packFolders = [...others, ...trashed].map((each) => path.join(each, PACKS_FOLDER));
  const sources: ChunkSource[] = [
    chunksOfFolders(packFolders, seal),
    ...others.map((each) => pagesOfState(each, seal)),
    chunksOfBackups(readable),
  ];
  return repairState(folder, chunkFolderOf(context, machine), sources, seal);
}

/** Memory states of machines in the trash. */
async function statesInTrash(context: ServiceContext): Promise<string[]> {
  const { trash } = context.store.data;
  const states: string[] = [];
  for (const name of await readdir(trash)) {
    const { snapshots, savedState } = machinePathsIn(path.join(trash, name));
    for (const each of await readdir(savedState).catch(() => [])) states.push(path.join(savedState, each));
    for (const each of await readdir(snapshots).catch(() => [])) states.push(path.join(snapshots, each, "memory"));
  }
  return states;
}

/**
 * state.json or the page map, where one of them is damaged: a copy of the same state has it, which the other file shows. Two states never have
 * the same state.json, and one with the same pages is of the same moment.
 */
async function repairFiles(
  folder: string,
  others: readonly string[],
  backups: readonly KeptBackup[],
  seal: StateSeal | undefined,
): Promise<void> {
  const damaged = await damagedFile(folder, seal);
  if (damaged === null) return;
  for (const read of [...others.map(readFrom), ...backups.map(readFromBackup)]) {
    const copy = await copyOf(folder, damaged, read, seal).catch(() => null);
    if (copy === null) continue;
    await putFile(path.join(folder, damaged), copy);
    await syncFolder(folder);
    return;
  }
}

type StateFile = typeof STATE_FILE | typeof PAGES_FILE;
type ReadFile = (name: StateFile) => Promise<Buffer>;

const readFrom =
  (folder: string): ReadFile =>
  (name) =>
    readFile(path.join(folder, name));

const readFromBackup =
  ({ repository, manifest }: KeptBackup): ReadFile =>
  async (name) => {
    const contents = manifest.memory?.[name];
    if (!contents) throw new Error("the backup has no memory");
    return readContents(repository, contents, 0, contents.sizeBytes);
  };

async function damagedFile(folder: string, seal: StateSeal | undefined): Promise<StateFile | null> {
  if (!(await stat(folder).catch(() => null))) return null;
  try {
    await readState(folder, seal);
    return null;
  } catch (error) {
    const name = isAppError(error) ? path.basename(error.details.file ?? "") : "";
    return name === STATE_FILE || name === PAGES_FILE ? name : null;
  }
}

/** The file `name` of a copy of the state in `folder`, known to be whole; null when it is another state. */
async function copyOf(
  folder: string,
  name: StateFile,
  read: ReadFile,
  seal: StateSeal | undefined,
): Promise<Buffer | null> {
  const [stateJson, pages] = [await read(STATE_FILE), await read(PAGES_FILE)];
  const map = decodePagesFile(PAGES_FILE, pages, seal);
  decodeStateFile(STATE_FILE, stateJson, seal);
  if (name === PAGES_FILE) return stateJson.equals(await readFile(path.join(folder, STATE_FILE))) ? pages : null;
  // Chunks may have moved since (relocate-state.ts): the pages are compared, not the files.
  return digestOf(map) === digestOf(await readPageMap(folder, seal)) ? stateJson : null;
}
