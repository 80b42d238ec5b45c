// Checks boot files before a machine is made or started, so that a wrong file is named here and not by a hanging guest.
// Offsets: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
import { open, stat } from "node:fs/promises";
import { AppError } from "../../../native-core/common/errors.ts";
import { ioFailure } from "../../store/io-error.ts";

const HEADER_BYTES = 0x264;
const SETUP_SECTS = 0x1f1;
const SYSSIZE = 0x1f4;
const BOOT_FLAG = 0x1fe;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const XLOADFLAGS = 0x236;
const XLF_KERNEL_64 = 1;
/** xloadflags came with protocol 2.12. */
const VERSION_WITH_XLOADFLAGS = 0x020c;

/** @throws AppError INVALID_FILE, UNSUPPORTED, NOT_FOUND or PERMISSION_DENIED naming the file and the field. */
export async function checkKernel(file: string, field = "boot.kernel"): Promise<void> {
  const { header, sizeBytes } = await readStart(file, field);
  const refuse = (problem: string) =>
    new AppError("INVALID_FILE", `${file} is not a Linux kernel that can be started: ${problem}`, {
      file,
      field,
      consequence: "Nothing was made or changed.",
      remedy: "Choose a bzImage, such as /boot/vmlinuz of a Linux system.",
    });
  if (header.length < HEADER_BYTES) throw refuse("it is too short");
  if (header.readUInt16LE(BOOT_FLAG) !== 0xaa55) throw refuse("the boot signature is missing");
  if (header.toString("latin1", HEADER_MAGIC, HEADER_MAGIC + 4) !== "HdrS") throw refuse("it is not a bzImage");
  if (header.readUInt16LE(VERSION) < VERSION_WITH_XLOADFLAGS) throw refuse("its boot protocol is older than 2.12");
  if ((header.readUInt16LE(XLOADFLAGS) & XLF_KERNEL_64) === 0) throw refuse("it is a 32-bit kernel");
  const setupSectors = header.readUInt8(SETUP_SECTS) || 4;
  const needed = (setupSectors + 1) * 512 + header.readUInt32LE(SYSSIZE) * 16;
  if (sizeBytes < needed) throw refuse(`it is cut off (${sizeBytes} of ${needed} bytes)`);
}

export async function checkInitrd(file: string, field = "boot.initrd"): Promise<void> {
  const { sizeBytes } = await readStart(file, field);
  if (sizeBytes > 0) return;
  throw new AppError("INVALID_FILE", `The initial RAM disk is empty: ${file}`, {
    file,
    field,
    consequence: "Nothing was made or changed.",
    remedy: "Choose another file, or none.",
  });
}

/** A file that is there to be read by the NAT. @throws AppError as above */
export async function checkNetworkFile(file: string, field = "networkBoot"): Promise<void> {
  await readStart(file, field);
}

async function readStart(file: string, field: string): Promise<{ header: Buffer; sizeBytes: number }> {
  try {
    const found = await stat(file);
    if (!found.isFile()) {
      throw new AppError("INVALID_FILE", `It is not a regular file: ${file}`, {
        file,
        field,
        remedy: "Choose a file.",
      });
    }
    const handle = await open(file, "r");
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      const { bytesRead } = await handle.read(header, 0, HEADER_BYTES, 0);
      return { header: header.subarray(0, bytesRead), sizeBytes: found.size };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioFailure(error, file, { field, consequence: "Nothing was made or changed." });
  }
}
