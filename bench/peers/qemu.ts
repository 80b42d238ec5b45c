// QEMU with its translator (TCG), one vCPU, as Debian ships it.
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import type { Peer } from "./peer.ts";

const PROGRAM = "/usr/bin/qemu-system-x86_64";

export const QEMU: Peer = {
  name: "QEMU TCG",
  async version() {
    const { stdout } = await promisify(execFile)(PROGRAM, ["--version"]);
    return /version (\S+)/.exec(stdout)?.[1] ?? "?";
  },
  missing: () =>
    access(PROGRAM).then(
      () => undefined,
      () => "install qemu-system-x86",
    ),
  guestMemoryAt: (mappingBytes, guestBytes) => (mappingBytes === guestBytes ? 0 : undefined),
  command: ({ kernel, initrd, commandLine, memoryMiB, disk, network }) => [
    PROGRAM,
    ...[
      "-accel",
      "tcg",
      "-m",
      String(memoryMiB),
      "-smp",
      "1",
      "-nographic",
      "-no-reboot",
      "-nodefaults",
      "-serial",
      "stdio",
    ],
    ...["-kernel", kernel, "-initrd", initrd, "-append", commandLine],
    ...(network
      ? [
          "-nic",
          [
            "user,model=virtio-net-pci",
            ...network.forwards.map(([from, to]) => `hostfwd=tcp:127.0.0.1:${from}-10.0.2.15:${to}`),
          ].join(),
        ]
      : []),
    ...(disk ? ["-drive", `file=${disk},if=virtio,format=qcow2,cache=writeback`] : []),
  ],
};
