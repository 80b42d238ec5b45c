// Fetches the PC's firmware into out/firmware: SeaBIOS with its VGA BIOS, OVMF, and iPXE as the option ROMs of network adapters, from
// Debian's packages, which apt verifies, with checksums by which the app sees later that nothing was changed. Never committed: it is other
// people's work under its own licence.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { unpackedPackage } from "../starter/packages.ts";
import { PROJECT } from "./project.ts";

/** Debian packages and the files to take. */
const PACKAGES = [
  { name: "seabios", files: ["usr/share/seabios/bios-256k.bin", "usr/share/seabios/vgabios-stdvga.bin"] },
  { name: "ovmf", files: ["usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"] },
  // Each holds a loader for a BIOS and a driver for UEFI.
  {
    name: "ipxe-qemu",
    files: ["efi-e1000.rom", "efi-rtl8139.rom", "efi-virtio.rom"].map((name) => `usr/lib/ipxe/qemu/${name}`),
  },
] as const;

const FIRMWARE_FOLDER = join(PROJECT, "out/firmware");

/** Complete or absent. */
export async function fetchFirmware(
  cacheFolder = join(PROJECT, ".cache/packages"),
  outFolder = FIRMWARE_FOLDER,
): Promise<string> {
  if (await isComplete(outFolder)) return outFolder;
  await mkdir(cacheFolder, { recursive: true });
  const building = `${outFolder}.tmp`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true });
  const sums: string[] = [];
  for (const { name, files } of PACKAGES) {
    const unpacked = await unpackedPackage(name, cacheFolder);
    for (const path of files) {
      const file = join(unpacked, path);
      await copyFile(file, join(building, basename(path)));
      sums.push(
        `${createHash("sha256")
          .update(await readFile(file))
          .digest("hex")}  ${basename(path)}\n`,
      );
    }
    await copyFile(join(unpacked, "usr/share/doc", name, "copyright"), join(building, `copyright.${name}`));
  }
  await writeFile(join(building, "SHA256SUMS"), sums.join(""));
  await rm(outFolder, { recursive: true, force: true });
  await rename(building, outFolder);
  return outFolder;
}

export async function isComplete(folder = FIRMWARE_FOLDER): Promise<boolean> {
  const sums = await readFile(join(folder, "SHA256SUMS"), "utf8").catch(() => "");
  return PACKAGES.every(({ files }) => files.every((path) => sums.includes(`  ${basename(path)}\n`)));
}
