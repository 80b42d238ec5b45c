// Suite `disk`: virtio-blk on qcow2 on the same host file system; sequential read, write with fsync, and 4 KiB reads. Each step is done twice: what
// a translator has to do for code that runs for the first time is in the first pass only (docs/adr/0042).
import { execFile } from "node:child_process";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { directory, file } from "../../main/services/unattended/cpio.ts";
import { PROJECT } from "../../scripts/setup/project.ts";
import { amd64Image, kernelModules } from "../guests/images.ts";
import { type Marks, untilDone } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { median, type Report } from "../table.ts";
import { inRounds } from "./rounds.ts";

const run = promisify(execFile);

const STEPS = [
  {
    name: "write",
    title: "write 256 MB in 1 MiB blocks, then fsync",
    megabytes: 256,
    script: "dd if=/dev/zero of=/dev/vda bs=1M count=256 conv=fsync",
  },
  {
    name: "read",
    title: "read 256 MB in 1 MiB blocks, direct",
    megabytes: 256,
    script: "dd if=/dev/vda of=/dev/null bs=1M count=256 iflag=direct",
  },
  {
    name: "read4k",
    title: "read 32 MB in 4 KiB blocks, direct",
    megabytes: 32,
    script: "dd if=/dev/vda of=/dev/null bs=4k count=8192 iflag=direct",
  },
] as const;

const PASSES = [
  { number: 1, title: "" },
  { number: 2, title: ", again" },
] as const;

const EACH = PASSES.flatMap((pass) =>
  STEPS.map((step) => ({ ...step, name: `${step.name}${pass.number}`, title: `${step.title}${pass.title}` })),
);

const init = (modules: readonly string[]): string => `#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B --install -s /bin
export PATH=/bin
for m in ${modules.join(" ")}; do insmod /modules/$m.ko; done
while [ ! -b /dev/vda ]; do usleep 10000; done
${EACH.map(({ name, script }) => `echo "MARK begin ${name}"\n${script} 2>/dev/null\necho "MARK end ${name}"`).join("\n")}
echo "MARK done"
poweroff -f
`;

export async function diskSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const modules = await kernelModules(["virtio_pci", "virtio_blk"]);
  const image = await amd64Image("disk", init(modules.map(({ name }) => name)), [
    directory("modules"),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ]);
  const folder = join(PROJECT, "out/bench");
  await mkdir(folder, { recursive: true });
  const template = join(folder, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", template, "1G"]);
  const disk = join(folder, "disk-run.qcow2");
  const guest = {
    kernel: image.kernel,
    initrd: image.initrd,
    commandLine: "console=ttyS0 quiet panic=-1",
    memoryMiB: 256,
    disk,
  };
  const { results, versions, missing } = await inRounds<Marks>(
    rounds,
    [TERRARIUM, QEMU].map((peer) => ({ peer, guest })),
    progress,
    (running) => untilDone(running),
    undefined,
    () => copyFile(template, disk),
  );
  await rm(disk, { force: true });
  const rows = EACH.map(({ name, title, megabytes }) => ({
    what: title,
    unit: "MB/s",
    values: Object.fromEntries(
      [...results].map(([peer, runs]) => [peer, median(runs.map((marks) => megabytes / duration(marks, name)))]),
    ),
  }));
  return { suite: "disk", versions, missing, rounds, rows, notes: [] };
}

const duration = (marks: Marks, name: string): number =>
  ((marks.get(`end ${name}`) ?? Number.NaN) - (marks.get(`begin ${name}`) ?? Number.NaN)) / 1000;
