// The setup header of a bzImage (Linux Documentation/arch/x86/boot.rst): what the kernel says about itself, checked.
import { AppError } from "../common/errors.ts";

/** Offsets in the image, and in boot_params, of header fields. */
export const SETUP = {
  START: 0x1f1,
  SETUP_SECTORS: 0x1f1,
  BOOT_FLAG: 0x1fe,
  JUMP_LENGTH: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  KERNEL_VERSION: 0x20e,
  LOADER_TYPE: 0x210,
  LOAD_FLAGS: 0x211,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  COMMAND_LINE: 0x228,
  INITRD_MAX: 0x22c,
  ALIGNMENT: 0x230,
  RELOCATABLE: 0x234,
  X_LOAD_FLAGS: 0x236,
  COMMAND_LINE_MAX: 0x238,
  PREFERRED_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
} as const;

const BOOT_FLAG = 0xaa55;
const HEADER_MAGIC = 0x53726448;
const MINIMUM_VERSION = 0x020c;
const KERNEL_64 = 1 << 0;
const LOADED_HIGH = 1 << 0;
const SECTOR = 512;

export interface LinuxHeader {
  /** What `uname -r` will say, for logs. */
  kernelVersion: string;
  /** Entered in 64-bit mode; else in 32-bit protected mode. */
  is64Bit: boolean;
  /** The setup header itself, to be copied into boot_params at SETUP.START. */
  setup: Uint8Array;
  /** What is loaded and run. */
  payload: Uint8Array;
  loadAddress: number;
  /** RAM needed from the load address on while the kernel unpacks itself. */
  initSizeBytes: number;
  /** Highest address an initrd may occupy. */
  initrdMax: number;
  commandLineMax: number;
}

/** Throws AppError INVALID_FILE naming `file` when it is no Linux kernel that can be booted directly. */
export function parseLinuxHeader(image: Uint8Array, file: string): LinuxHeader {
  const fail = (message: string, remedy: string): never => {
    throw new AppError("INVALID_FILE", `${file} ${message}`, {
      file,
      field: "boot.kernel",
      consequence: "The machine was not started.",
      remedy,
    });
  };
  const chooseBzImage = "Choose a bzImage, the file distributions install as /boot/vmlinuz-<version>.";
  if (image.length < SETUP.INIT_SIZE + 4) fail("is too short to be a Linux kernel", chooseBzImage);
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  if (view.getUint16(SETUP.BOOT_FLAG, true) !== BOOT_FLAG || view.getUint32(SETUP.MAGIC, true) !== HEADER_MAGIC) {
    fail("is not a Linux kernel image (no HdrS header)", chooseBzImage);
  }
  const version = view.getUint16(SETUP.VERSION, true);
  if (version < MINIMUM_VERSION) {
    fail(
      `uses boot protocol ${version >>> 8}.${version & 0xff}, which is too old`,
      "Use a kernel of version 3.8 or later.",
    );
  }
  if (((image[SETUP.LOAD_FLAGS] ?? 0) & LOADED_HIGH) === 0) fail("is a zImage", chooseBzImage);
  const sectors = image[SETUP.SETUP_SECTORS] || 4;
  const payloadOffset = (sectors + 1) * SECTOR;
  if (payloadOffset + SECTOR > image.length) fail("is truncated", "Copy the file again.");
  const headerEnd = Math.min(SETUP.MAGIC + (image[SETUP.JUMP_LENGTH] ?? 0), payloadOffset);
  const preferred = view.getBigUint64(SETUP.PREFERRED_ADDRESS, true);
  if (preferred === 0n || preferred >= 0x8000_0000n) fail("asks for a load address out of reach", chooseBzImage);
  return {
    kernelVersion: versionString(image, view.getUint16(SETUP.KERNEL_VERSION, true)),
    is64Bit: (view.getUint16(SETUP.X_LOAD_FLAGS, true) & KERNEL_64) !== 0,
    setup: image.slice(SETUP.START, headerEnd),
    payload: image.subarray(payloadOffset),
    loadAddress: Number(preferred),
    initSizeBytes: Math.max(view.getUint32(SETUP.INIT_SIZE, true), image.length - payloadOffset),
    initrdMax: view.getUint32(SETUP.INITRD_MAX, true),
    commandLineMax: view.getUint32(SETUP.COMMAND_LINE_MAX, true),
  };
}

function versionString(image: Uint8Array, pointer: number): string {
  if (pointer === 0) return "unknown";
  const start = pointer + 0x200;
  let end = start;
  while (end < image.length && end < start + 256 && image[end] !== 0) end++;
  return String.fromCharCode(...image.subarray(start, end));
}
