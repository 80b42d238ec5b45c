// Builds the guest of the system-mode fuzzer from its two assembly files, with binutils.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AT } from "./layout.ts";

/** Bytes between the stubs of two vectors (monitor.s). */
const STUB_BYTES = 12;

export interface SystemImage {
  /** A 32-bit Multiboot ELF file. */
  readonly elf: Uint8Array;
  /** Offset of a vector's stub, of 32-bit or of 64-bit code. */
  stub(vector: number, bits: 32 | 64): number;
  /** Where the double fault's task starts. */
  readonly doubleFault: number;
}

export function buildSystemImage(): SystemImage {
  const folder = mkdtempSync(join(tmpdir(), "terrarium-system-"));
  try {
    const tool = (name: string, ...args: string[]): string =>
      execFileSync(name, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    const source = (name: string): string => new URL(name, import.meta.url).pathname;
    tool("as", "--32", "-o", "monitor.o", source("monitor.s"));
    tool("ld", "-m", "elf_i386", "-Ttext", AT.monitor.toString(16), "-o", "monitor.elf", "monitor.o");
    tool("objcopy", "-O", "binary", "monitor.elf", "monitor.bin");
    tool("as", "--32", "-I.", "-o", "boot.o", source("boot.s"));
    tool("ld", "-m", "elf_i386", "-Ttext", "100000", "-N", "-e", "_start", "-o", "boot.elf", "boot.o");
    const symbols = new Map(
      tool("nm", "monitor.elf")
        .split("\n")
        .map((line) => line.split(" "))
        .map(([address = "0", , name = ""]) => [name, Number.parseInt(address, 16)]),
    );
    const symbol = (name: string): number => {
      const address = symbols.get(name);
      if (address === undefined) throw new Error(`monitor.s has no ${name}`);
      return address;
    };
    const stubs = { 32: symbol("stubs32"), 64: symbol("stubs64") };
    return {
      elf: new Uint8Array(readFileSync(join(folder, "boot.elf"))),
      stub: (vector, bits) => stubs[bits] + vector * STUB_BYTES,
      doubleFault: symbol("double_fault"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
