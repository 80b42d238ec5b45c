// One v86 machine in a process of its own; its serial port is standard output.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { V86 } from "v86";
import { PROJECT } from "../../scripts/setup/project.ts";
import type { GuestOptions } from "./peer.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as GuestOptions;
const firmware = join(PROJECT, ".cache/packages/seabios/usr/share/seabios");

async function buffer(path: string): Promise<{ buffer: ArrayBuffer }> {
  const data = await readFile(path);
  return { buffer: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer };
}

const emulator = new V86({
  wasm_path: join(PROJECT, "node_modules/v86/build/v86.wasm"),
  memory_size: options.memoryMiB * 1024 * 1024,
  vga_memory_size: 2 * 1024 * 1024,
  bios: await buffer(join(firmware, "bios.bin")),
  vga_bios: await buffer(join(firmware, "vgabios-stdvga.bin")),
  bzimage: await buffer(options.kernel),
  initrd: await buffer(options.initrd),
  cmdline: options.commandLine,
  autostart: true,
  disable_speaker: true,
});
let line = "";
emulator.add_listener("serial0-output-byte", (byte: number) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  process.stdout.write(line);
  // v86 has no way to notice that the guest powered off.
  if (line.includes("reboot: Power down")) process.exit(0);
  line = "";
});
