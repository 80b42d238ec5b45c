// What a machine starts with: a Linux kernel of the user's, or the PC's firmware, which finds a system on disks and discs.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { assert } from "../common/assert.ts";
import type { Firmware } from "../firmware/firmware.ts";
import { LinuxBoot } from "../firmware/linux-boot.ts";
import { PcFirmware } from "../firmware/pc-firmware.ts";
import { bootPaths } from "../machine/storage-layout.ts";
import type { StartRequest } from "../protocol/engine.ts";
import { fileError } from "./file-error.ts";

interface BootFile {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Throws AppError naming file and field. */
export async function bootLoader(request: StartRequest): Promise<Firmware> {
  const { config, kernelFile, initrdFile, machineId, firmware } = request;
  const memoryBytes = config.memoryMiB * 2 ** 20;
  if (kernelFile === null) {
    assert(firmware, "a machine without kernel has firmware");
    return new PcFirmware({
      ...(firmware.kind === "uefi"
        ? { bios: await bootFile(firmware.codeFile, "boot.firmware") }
        : {
            bios: await bootFile(firmware.biosFile, "boot.firmware"),
            videoBios: await bootFile(firmware.videoBiosFile, "boot.firmware"),
          }),
      adapterRoms: await adapterRoms(request),
      memoryBytes,
      chipset: config.chipset,
      cpuCount: config.cpuCount,
      uuid: machineUuid(machineId),
      bootOrder: bootPaths(config),
      bootMenuMs: Math.round(config.boot.menuSeconds * 1000),
    });
  }
  const files = { kernelFile, initrdFile, commandLine: config.boot.commandLine, memoryBytes };
  // A machine that continues needs its kernel when it is reset, if ever: reading it would be a good part of the time until it runs.
  if (request.restoreFrom !== null) return linuxBoot(files, undefined);
  const kernel = await bootFile(kernelFile, "boot.kernel");
  const initrd = initrdFile === null ? undefined : await bootFile(initrdFile, "boot.initrd");
  return linuxBoot(files, new LinuxBoot({ ...files, kernel, initrd }));
}

async function adapterRoms(request: StartRequest): Promise<ReadonlyMap<string, BootFile>> {
  const files = Object.entries(request.adapterRoms ?? {});
  return new Map(
    await Promise.all(files.map(async ([model, file]) => [model, await bootFile(file, "boot.order")] as const)),
  );
}

interface LinuxFiles {
  readonly kernelFile: string;
  readonly initrdFile: string | null;
  readonly commandLine: string;
  readonly memoryBytes: number;
}

/**
 * Kernel and RAM disk are in memory until they are in the guest's: 15 MiB and more that nobody wants again before a reset. They are read anew
 * for that, as they are then. Main has looked that they are there; should they be gone, the machine ends and says so.
 */
function linuxBoot({ kernelFile, initrdFile, ...rest }: LinuxFiles, checked: LinuxBoot | undefined): Firmware {
  const read = (file: string, field: string) => {
    try {
      return { file, bytes: new Uint8Array(readFileSync(file)) };
    } catch (error) {
      throw fileError(error, file, { field, consequence: "The machine was stopped." });
    }
  };
  let ready = checked;
  return {
    start(target) {
      const boot =
        ready ??
        new LinuxBoot({
          ...rest,
          kernel: read(kernelFile, "boot.kernel"),
          initrd: initrdFile === null ? undefined : read(initrdFile, "boot.initrd"),
        });
      ready = undefined;
      boot.start(target);
    },
  };
}

async function bootFile(file: string, field: string): Promise<BootFile> {
  try {
    return { file, bytes: new Uint8Array(await readFile(file)) };
  } catch (error) {
    throw fileError(error, file, { field, consequence: "The machine was not started." });
  }
}

/** The same for a machine all its life, another for every other one (RFC 9562, version 8: of one's own making). */
function machineUuid(machineId: string): Uint8Array {
  const uuid = new Uint8Array(createHash("sha256").update(`terrarium ${machineId}`).digest().subarray(0, 16));
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid;
}
