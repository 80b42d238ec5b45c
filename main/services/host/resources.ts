// Files that come with the app: Starter Linux, built by set-up into TERRARIUM_RESOURCES or out/starter; firmware in a folder beside it.
import { access } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../../native-core/common/errors.ts";
import { findAdapterRoms, findFirmware, findUefi } from "./firmware-files.ts";

export const STARTER_PREFIX = "starter:";
const STARTER_FILES = ["vmlinuz", "initrd.img", "disk-template.qcow2"] as const;

export class Resources {
  readonly #starter: string;

  constructor(starterFolder: string = defaultStarterFolder()) {
    this.#starter = starterFolder;
  }

  starterFile(name: (typeof STARTER_FILES)[number]): string {
    return path.join(this.#starter, name);
  }

  /** Images of the PC's firmware. @throws AppError */
  firmware(): ReturnType<typeof findFirmware> {
    return findFirmware(this.#firmwareFolder);
  }

  /** UEFI's code and empty variables. @throws AppError */
  uefi(): ReturnType<typeof findUefi> {
    return findUefi(this.#firmwareFolder);
  }

  /** What boots from the network, for these models of adapter. @throws AppError */
  adapterRoms(models: Parameters<typeof findAdapterRoms>[1]): ReturnType<typeof findAdapterRoms> {
    return findAdapterRoms(this.#firmwareFolder, models);
  }

  get #firmwareFolder(): string {
    return path.join(path.dirname(this.#starter), "firmware");
  }

  /** The file behind a boot reference: `starter:NAME` or an absolute path. `field` is the setting it came from. */
  resolve(reference: string, field: string): string {
    if (!reference.startsWith(STARTER_PREFIX)) {
      if (path.isAbsolute(reference)) return reference;
      throw new AppError("INVALID_FILE", `The path has to be absolute: ${reference}`, {
        file: reference,
        field,
        remedy: "Give the whole path of the file.",
      });
    }
    const name = reference.slice(STARTER_PREFIX.length);
    if (/^[\w.-]+$/.test(name) && !name.startsWith(".")) return path.join(this.#starter, name);
    throw new AppError("INVALID_FILE", `There is no such file of Starter Linux: ${name}`, { file: reference, field });
  }

  async starterAvailable(): Promise<boolean> {
    return (await this.#missing()) === null;
  }

  async requireStarter(): Promise<void> {
    const missing = await this.#missing();
    if (missing === null) return;
    throw new AppError("NOT_FOUND", `Starter Linux is not built: ${missing} is missing`, {
      file: missing,
      consequence: "The machine was not created.",
      remedy: "Run `npm start` once: it builds Starter Linux.",
    });
  }

  async #missing(): Promise<string | null> {
    for (const name of STARTER_FILES) {
      const file = this.starterFile(name);
      if (!(await isReadable(file))) return file;
    }
    return null;
  }
}

async function isReadable(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function defaultStarterFolder(): string {
  const chosen = process.env["TERRARIUM_RESOURCES"];
  if (chosen !== undefined && chosen !== "") return path.resolve(chosen);
  return fileURLToPath(new URL("../../../out/starter", import.meta.url));
}
