// A minimal Linux guest for tests of the whole machine: Debian's kernel, unmodified, and an initial RAM disk with busybox and a
// script of the test's own as PID 1. Packages are fetched once through apt, which verifies them, into .cache/packages.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { characterDevice, cpioArchive, directory, file } from "../../main/services/unattended/cpio.ts";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import {
  createMachine,
  type Machine,
  type MachineParts,
  type ProcessorFactory,
  type Slice,
} from "../../native-core/machine/machine.ts";
import { type KernelModule, modulesInLoadOrder } from "../../scripts/starter/modules.ts";
import { dependencyOf, unpackedPackage } from "../../scripts/starter/packages.ts";

const CACHE = fileURLToPath(new URL("../../.cache/packages", import.meta.url));

/** Modules of a flavour's kernel and what they depend on, in load order. */
export async function kernelModules(flavour: KernelFlavour, names: readonly string[]): Promise<KernelModule[]> {
  if (names.length === 0) return [];
  const architecture = architectureOf(flavour);
  const kernel = await dependencyOf(`linux-image-${flavour}`, architecture);
  const folder = join(
    await unpackedPackage(kernel, CACHE, architecture),
    "lib/modules",
    kernel.replace("linux-image-", ""),
  );
  return modulesInLoadOrder(folder, names);
}

export type KernelFlavour = "cloud-amd64" | "amd64" | "686" | "686-pae";

/** Debian's name of the architecture where it is not the host's. */
const architectureOf = (flavour: KernelFlavour): string | undefined => (flavour.startsWith("686") ? "i386" : undefined);

/** The kernel image of a flavour. Throws (fails the test) when it can't be fetched: a boot test is never skipped silently. */
export async function debianKernel(flavour: KernelFlavour): Promise<{ file: string; bytes: Uint8Array }> {
  const architecture = architectureOf(flavour);
  const name = await dependencyOf(`linux-image-${flavour}`, architecture);
  const folder = join(await unpackedPackage(name, CACHE, architecture), "boot");
  const image = (await readdir(folder)).find((entry) => entry.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`no kernel in ${folder}`);
  return { file: join(folder, image), bytes: new Uint8Array(await readFile(join(folder, image))) };
}

/**
 * An initial RAM disk whose PID 1 mounts the usual file systems, installs busybox, loads `modules` and runs `script` with sh on ttyS0.
 * Modules come with what they depend on.
 */
export async function initramfs(
  script: string,
  modules: readonly KernelModule[] = [],
  architecture?: string,
): Promise<{ file: string; bytes: Uint8Array }> {
  const busybox = await readFile(join(await unpackedPackage("busybox-static", CACHE, architecture), "bin/busybox"));
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/ttyS0 >/dev/ttyS0 2>&1
${modules.map(({ name }) => `insmod /modules/${name}.ko`).join("\n")}
${script}
`;
  const bytes = cpioArchive([
    ...["bin", "dev", "proc", "sys", "modules", "new"].map(directory),
    characterDevice("dev/console", 5, 1),
    file("bin/busybox", busybox, true),
    file("init", new TextEncoder().encode(init), true),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ]);
  return { file: "test initramfs", bytes };
}

export interface GuestOptions {
  flavour: KernelFlavour;
  /** Run by PID 1. */
  script: string;
  /** Taken in place of one with busybox, `script` and `modules`. */
  initrd?: { file: string; bytes: Uint8Array };
  /** Kernel modules to load before it. */
  modules?: readonly string[];
  /** Modules of the test's own, loaded after those. */
  builtModules?: readonly KernelModule[];
  createProcessor: ProcessorFactory;
  memoryMib?: number;
  commandLine?: string;
  /** Disks, display and so on. */
  parts?: Partial<MachineParts>;
}

/** A machine in instruction time with everything it prints on COM1 at hand. */
export class LinuxGuest {
  readonly machine: Machine;
  console = "";

  private constructor(build: (sink: { write(byte: number): void }) => Machine) {
    this.machine = build({
      write: (byte) => {
        this.console += String.fromCharCode(byte);
      },
    });
  }

  static async start(options: GuestOptions): Promise<LinuxGuest> {
    const kernel = await debianKernel(options.flavour);
    const modules = [...(await kernelModules(options.flavour, options.modules ?? [])), ...(options.builtModules ?? [])];
    const initrd = options.initrd ?? (await initramfs(options.script, modules, architectureOf(options.flavour)));
    const memoryBytes = (options.memoryMib ?? 256) << 20;
    const commandLine = options.commandLine ?? "console=ttyS0 panic=-1";
    const guest = new LinuxGuest((sink) =>
      createMachine({
        memoryBytes,
        createProcessor: options.createProcessor,
        firmware: new LinuxBoot({ kernel, initrd, commandLine, memoryBytes }),
        serial: [sink, { write: () => {} }],
        ...options.parts,
      }),
    );
    guest.machine.powerOn();
    guest.machine.resume();
    return guest;
  }

  type(text: string): void {
    this.machine.post({ kind: "serial", port: 0, bytes: new TextEncoder().encode(text) });
  }

  /** Runs until `text` was printed after position `from` of the console; yields to the event loop between slices. */
  async waitFor(text: string, from = 0, virtualSeconds = 300): Promise<void> {
    const end = this.machine.clock.nowNs() + BigInt(virtualSeconds) * 1_000_000_000n;
    while (!this.console.includes(text, from)) {
      const slice = await this.#slice();
      if (slice.state !== "running" && slice.state !== "halted") {
        throw new Error(`the guest ended (${slice.state}) before it printed ${JSON.stringify(text)}:\n${this.tail}`);
      }
      if (this.machine.clock.nowNs() > end) {
        throw new Error(`the guest did not print ${JSON.stringify(text)} in ${virtualSeconds} s:\n${this.tail}`);
      }
    }
  }

  /** Runs until the guest powers off, resets or dies. */
  async waitForEnd(virtualSeconds = 60): Promise<Slice["state"]> {
    const end = this.machine.clock.nowNs() + BigInt(virtualSeconds) * 1_000_000_000n;
    for (;;) {
      const { state } = await this.#slice();
      if (state !== "running" && state !== "halted") return state;
      if (this.machine.clock.nowNs() > end) throw new Error(`the guest is still running:\n${this.tail}`);
    }
  }

  get tail(): string {
    return this.console.slice(-2000);
  }

  async #slice(): Promise<Slice> {
    const slice = this.machine.runSlice(50_000_000n);
    await new Promise((resolve) => setImmediate(resolve));
    return slice;
  }
}
