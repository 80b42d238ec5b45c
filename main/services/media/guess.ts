// What to make of an ISO image: the name and settings that a new machine for it starts with. Everything can be changed afterwards.
import path from "node:path";
import { canonical } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { readIso } from "../../../native-core/media/iso.ts";
import type { CatalogueSystem } from "../../contract/catalogue.ts";
import type { MediumFacts } from "../../contract/schemas.ts";
import { recognize } from "../catalogue/catalogue.ts";
import { checkDisc } from "./discs.ts";

/** For what is in no catalogue. */
const UNKNOWN = { osType: "other", memoryMiB: 1024, diskMiB: 20 * 1024, cpuCount: 1, unattended: null } as const;

/** @throws AppError for a file that can't be read. A file that is no ISO image has `bootsBios` false. */
export async function describeMedium(file: string): Promise<MediumFacts> {
  await checkDisc(file);
  const opened = await NodeImageFile.open(await canonical(file), { readOnly: true, lock: null });
  try {
    const sizeBytes = await opened.size();
    const iso = await readIso(opened);
    const label = iso?.label ?? "";
    const fileName = path.basename(file);
    const system = await recognize(label, fileName);
    const { osType, memoryMiB, diskMiB, cpuCount, unattended } = system ?? UNKNOWN;
    return {
      ...{ label, sizeBytes, osType, memoryMiB, diskMiB, cpuCount, unattended },
      name: nameFor(system, label, fileName),
      isIso: iso !== null,
      bootsBios: iso?.bootsBios ?? false,
      bootsUefi: iso?.bootsUefi ?? false,
      // A BIOS starts faster; UEFI is for what needs it.
      firmware: iso?.bootsUefi && !iso.bootsBios ? "uefi" : "bios",
    };
  } finally {
    await opened.close();
  }
}

/** `Debian 12.11`: the system with the version that label or file name tell, else the file's name. */
function nameFor(system: CatalogueSystem | undefined, label: string, fileName: string): string {
  if (!system) return fileName.replace(/\.[^.]*$/, "").replaceAll(/[\p{Cc}/\\]/gu, "") || "New machine";
  const version = /(?<![\w.])\d{1,2}(?:\.\d{1,3}){0,2}(?![\d.]*\d)/.exec(
    `${label} ${fileName.replaceAll("_", " ")}`,
  )?.[0];
  return version === undefined ? system.name : `${system.name} ${version.replace(/\.0$/, "")}`;
}
