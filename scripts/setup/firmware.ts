// Fetches the PC's firmware into out/firmware: SeaBIOS and its VGA BIOS from Debian's package, which apt verifies, with checksums by
// which the app sees later that nothing was changed. Never committed: it is other people's work under its own licence.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackedPackage } from "../starter/packages.ts";
import { PROJECT } from "./project.ts";

const PACKAGE = "seabios";
const FILES = ["bios-256k.bin", "vgabios-stdvga.bin"];
const LICENCE = "copyright";

const FIRMWARE_FOLDER = join(PROJECT, "out/firmware");

/** Complete or absent. */
export async function fetchFirmware(
  cacheFolder = join(PROJECT, ".cache/packages"),
  outFolder = FIRMWARE_FOLDER,
): Promise<string> {
  if (await isComplete(outFolder)) return outFolder;
  await mkdir(cacheFolder, { recursive: true });
  const unpacked = await unpackedPackage(PACKAGE, cacheFolder);
  const building = `${outFolder}.tmp`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true });
  const sums: string[] = [];
  for (const name of FILES) {
    const file = join(unpacked, "usr/share/seabios", name);
    await copyFile(file, join(building, name));
    sums.push(
      `${createHash("sha256")
        .update(await readFile(file))
        .digest("hex")}  ${name}\n`,
    );
  }
  await copyFile(join(unpacked, "usr/share/doc", PACKAGE, LICENCE), join(building, LICENCE));
  await writeFile(join(building, "SHA256SUMS"), sums.join(""));
  await rm(outFolder, { recursive: true, force: true });
  await rename(building, outFolder);
  return outFolder;
}

export async function isComplete(folder = FIRMWARE_FOLDER): Promise<boolean> {
  const sums = await readFile(join(folder, "SHA256SUMS"), "utf8").catch(() => "");
  return FILES.every((name) => sums.includes(`  ${name}\n`));
}
