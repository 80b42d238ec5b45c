// A v86 machine in this process, as the benchmarks boot it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { V86 } from "v86";
import { PROJECT } from "../../scripts/setup/project.ts";
import type { GuestOptions } from "./peer.ts";

const firmware = join(PROJECT, ".cache/packages/seabios/usr/share/seabios");

async function buffer(path: string): Promise<{ buffer: ArrayBuffer }> {
  const data = await readFile(path);
  return { buffer: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer };
}

/** `onOutput` gets the bytes of its serial port. */
export async function v86Machine(
  options: GuestOptions,
  onOutput: (character: string) => void,
  autostart = true,
): Promise<V86> {
  const emulator = new V86({
    wasm_path: join(PROJECT, "node_modules/v86/build/v86.wasm"),
    memory_size: options.memoryMiB * 1024 * 1024,
    vga_memory_size: 2 * 1024 * 1024,
    bios: await buffer(join(firmware, "bios.bin")),
    vga_bios: await buffer(join(firmware, "vgabios-stdvga.bin")),
    bzimage: await buffer(options.kernel),
    initrd: await buffer(options.initrd),
    cmdline: options.commandLine,
    autostart,
    disable_speaker: true,
  });
  emulator.add_listener("serial0-output-byte", (byte: number) => onOutput(String.fromCharCode(byte)));
  return emulator;
}
