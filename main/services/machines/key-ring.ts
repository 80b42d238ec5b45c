// The keys of encrypted machines that were unlocked in this session. They live in this process's memory only, and go to VM processes in the
// request that starts a machine.
import { realpathSync } from "node:fs";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { diskSecret, StateSeal } from "../../../native-core/host/crypt/sealed.ts";
import type { Machine } from "./machine.ts";

export class KeyRing {
  readonly #machinesFolder: string;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(machinesFolder: string) {
    this.#machinesFolder = realpathSync(machinesFolder);
  }

  keyOf(id: string): Uint8Array | undefined {
    return this.#keys.get(id);
  }

  add(id: string, key: Uint8Array): void {
    this.#keys.set(id, Uint8Array.from(key));
  }

  forget(id: string): void {
    this.#keys.get(id)?.fill(0);
    this.#keys.delete(id);
  }

  /** For the memory states of a machine; undefined for one that is not encrypted. @throws AppError PERMISSION_DENIED while it is locked */
  sealOf(machine: Machine): StateSeal | undefined {
    const key = this.require(machine);
    return key && new StateSeal(key);
  }

  /** The key of an encrypted machine; undefined for one that is not encrypted. @throws AppError PERMISSION_DENIED while it is locked */
  require(machine: Machine): Uint8Array | undefined {
    if (machine.record.encryption === null) return undefined;
    const key = this.#keys.get(machine.id);
    if (key) return key;
    throw new AppError("PERMISSION_DENIED", `"${machine.name}" is locked`, {
      field: "passphrase",
      consequence: "Nothing was changed.",
      remedy: "Unlock it with its passphrase first.",
    });
  }

  /** What opens an image, by the machine's folder that it lies in, which may still be under construction (ID.*.tmp). */
  readonly secretOf = (file: string): string | undefined => {
    const [folder = ""] = path.relative(this.#machinesFolder, file).split(path.sep);
    const key = this.#keys.get(folder.split(".")[0] ?? "");
    return key && diskSecret(key);
  };
}
