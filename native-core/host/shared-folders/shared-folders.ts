// The folders that a running machine shares: made of its configuration, exchanged while it runs.
import type { SharedFolderConfig } from "../../config/shared-folders.ts";
import { SHARED_FOLDERS_DEVICE } from "../../machine/cards.ts";
import type { Machine } from "../../machine/machine.ts";
import { FolderShare } from "./folder-share.ts";

export class SharedFolders {
  #shares: readonly FolderShare[];
  /** Whether the machine has the device that carries them from its start on. */
  readonly hasDevice: boolean;

  /** `savedMachine`: the state that it continues from; a guest has the device that it had then, and gets others as it gets a new one. */
  constructor(folders: readonly SharedFolderConfig[], savedMachine: unknown) {
    this.#shares = folders.map((folder) => new FolderShare(folder));
    this.hasDevice = savedMachine === undefined ? folders.length > 0 : hasDevice(savedMachine);
  }

  get shares(): readonly FolderShare[] {
    return this.#shares;
  }

  /** Of these only what is new is opened: a guest goes on with its files in the others. */
  async change(folders: readonly SharedFolderConfig[], machine: Machine): Promise<void> {
    const before = this.#shares;
    this.#shares = folders.map(
      (folder) =>
        before.find(
          ({ name, path, readOnly }) => name === folder.name && path === folder.path && readOnly === folder.readOnly,
        ) ?? new FolderShare(folder),
    );
    await machine.shareFolders(this.#shares);
    const gone = before.filter((share) => !this.#shares.includes(share));
    await Promise.all(gone.map((share) => share.close()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#shares.map((share) => share.close()));
  }
}

/** Whether a saved state, which may be hostile, has the device. */
function hasDevice(savedMachine: unknown): boolean {
  if (typeof savedMachine !== "object" || savedMachine === null || !("devices" in savedMachine)) return false;
  const { devices } = savedMachine;
  return typeof devices === "object" && devices !== null && Object.hasOwn(devices, SHARED_FOLDERS_DEVICE);
}
