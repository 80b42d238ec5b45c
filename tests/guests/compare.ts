// A guest that runs Debian's glibc programs, from the disk of debian-root.ts or out of an initial RAM disk made of it, for comparing
// what they print with what they print natively. Every command runs in a shell of its own.
import { type FileHandle, open } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CpuModelName, DEFAULT_CPU_MODEL } from "../../native-core/cpu/cpuid/models.ts";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";
import type { ProcessorOptions } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { type DebianRoot, debianInitramfs, debianRoot, ENVIRONMENT, runNatively } from "./debian-root.ts";

const BOOT_TIMEOUT_MS = 600_000;
const CHECK_TIMEOUT_MS = 1_800_000;

export interface GuestKind {
  readonly model?: CpuModelName;
  /** Where the programs are: on a virtio disk, or in memory from the start. */
  readonly from?: "disk" | "initramfs";
  readonly vcpuCount?: number;
}

/** A test for each of `checks`, title to command: in such a guest it has to print what it prints natively. */
export function compareWithNative(checks: Readonly<Record<string, string>>, kind: GuestKind = {}): void {
  const { model = DEFAULT_CPU_MODEL, from = "disk", vcpuCount = 1 } = kind;
  describe.skipIf(process.getuid?.() !== 0)(
    `Debian's programs in the guest, as ${model}, from ${from} (needs root for mmdebstrap and chroot)`,
    () => {
      let root: DebianRoot;
      let disk: FileHandle | undefined;
      let guest: LinuxGuest;

      beforeAll(async () => {
        root = await debianRoot();
        const create = coreProcessor(new WebAssembly.Module(buildInterpreter()));
        const options = {
          flavour: "cloud-amd64",
          createProcessor: (parts: ProcessorOptions) => create({ ...parts, model }),
        } as const;
        if (from === "initramfs") {
          const initrd = { file: "Debian's programs", bytes: await debianInitramfs(root, INIT) };
          guest = await LinuxGuest.start({ ...options, script: "", initrd, memoryMib: 1536, parts: { vcpuCount } });
        } else {
          disk = await open(root.disk);
          guest = await LinuxGuest.start({
            ...options,
            modules: ["virtio_pci", "virtio_blk", "virtio_rng"],
            script: SETUP,
            memoryMib: 768,
            parts: { vcpuCount, disks: [{ id: "disk0", backend: await readOnlyBackend(disk) }] },
          });
        }
        await guest.waitFor("GUEST-READY");
      }, BOOT_TIMEOUT_MS);

      afterAll(() => disk?.close());

      it.each(Object.entries(checks))(
        "%s",
        async (_, command) => {
          const native = await runNatively(root, command);
          expect(native).not.toBe("");
          expect(await runInGuest(guest, command)).toBe(native);
        },
        CHECK_TIMEOUT_MS,
      );
    },
  );
}

async function readOnlyBackend(disk: FileHandle): Promise<BlockBackend> {
  const refuse = () => Promise.reject(new Error("the disk is read-only"));
  return {
    sizeBytes: (await disk.stat()).size,
    readOnly: true,
    read: async (offset, target) => void (await disk.read(target, 0, target.length, offset)),
    write: refuse,
    flush: async () => {},
    discard: refuse,
    writeZeroes: refuse,
  };
}

/** Reads commands and prints what they print. */
const SERVE = `/usr/bin/env -i ${ENVIRONMENT.join(" ")} /bin/bash -c '
echo GUEST-READY
while read -r line; do
  echo "<begin>"; cd /tmp; bash -c "$(echo "$line" | base64 -d)" </dev/null 2>/dev/null | cat; echo "<end>"
done'
`;

/** PID 1 of the initial RAM disk that is the whole system. There is no mount(8) in it: system call 165. */
const INIT = `#!/bin/bash
export PATH=/usr/bin:/bin
mount() { perl -e '($type, $place) = @ARGV; syscall(165, $type, $place, $type, 0, 0)' "$@"; }
mount devtmpfs /dev
mount proc /proc
mount tmpfs /tmp
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty raw -echo
exec ${SERVE}`;

const SETUP = `stty -F /dev/ttyS0 raw -echo
mount -t ext4 -o ro /dev/vda /new
mount -t tmpfs tmpfs /new/tmp
mount --move /dev /new/dev
mount --move /proc /new/proc
exec chroot /new ${SERVE}`;

/** The command travels as base64, so that no terminal or shell reads anything into it. */
async function runInGuest(guest: LinuxGuest, command: string): Promise<string> {
  const position = guest.console.length;
  guest.type(`${Buffer.from(command).toString("base64")}\n`);
  await guest.waitFor("<end>", position, 3600);
  const printed = guest.console.slice(position);
  return printed.slice(printed.indexOf("<begin>\n") + 8, printed.indexOf("<end>"));
}
