// Suite `micro`: single loops in a static program, one per thing that translators differ in.
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { file } from "../../main/services/unattended/cpio.ts";
import { PROJECT } from "../../scripts/setup/project.ts";
import { amd64Image } from "../guests/images.ts";
import { type Marks, untilDone } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { median, type Report } from "../table.ts";
import { inRounds } from "./rounds.ts";

const run = promisify(execFile);

const LOOPS = [
  "30 M integer steps",
  "3 M random accesses in 64 MB",
  "4 M indirect calls",
  "200,000 system calls",
  "5 M double mul/add/div",
  "10 M unpredictable branches",
  "400 MB rep movsq",
  "20 M bytecodes by a switch",
] as const;

/** The loops as PID 1's children, between markers. */
const INIT = `#!/bin/busybox sh
echo "MARK init"
${LOOPS.map((_, i) => `echo "MARK begin ${i}"\n/bin/micro ${i}\necho "MARK end ${i}"`).join("\n")}
echo "MARK done"
/bin/busybox poweroff -f
`;

export async function microSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const program = await assemble();
  const image = await amd64Image("micro", INIT, [file("bin/micro", await readFile(program), true)]);
  const guest = {
    kernel: image.kernel,
    initrd: image.initrd,
    commandLine: "console=ttyS0 quiet panic=-1",
    memoryMiB: 256,
  };
  const { results, versions, missing } = await inRounds<Marks>(
    rounds,
    [TERRARIUM, QEMU].map((peer) => ({ peer, guest })),
    progress,
    (running) => untilDone(running),
    () => native(program),
  );
  const rows = LOOPS.map((what, i) => ({
    what,
    unit: "s",
    values: Object.fromEntries(
      [...results].map(([name, runs]) => [name, median(runs.map((marks) => seconds(marks, i)))]),
    ),
  }));
  return { suite: "micro", versions, missing, rounds, rows, notes: [] };
}

async function assemble(): Promise<string> {
  const out = join(PROJECT, "out/bench");
  await mkdir(out, { recursive: true });
  await run("as", ["--64", "-o", join(out, "micro.o"), join(PROJECT, "bench/guests/micro.s")]);
  await run("ld", ["-static", "-o", join(out, "micro"), join(out, "micro.o")]);
  return join(out, "micro");
}

async function native(program: string): Promise<Marks> {
  const marks = new Map<string, number>();
  for (let i = 0; i < LOOPS.length; i++) {
    marks.set(`begin ${i}`, performance.now());
    await run(program, [String(i)]);
    marks.set(`end ${i}`, performance.now());
  }
  return marks;
}

const seconds = (marks: Marks, i: number): number =>
  ((marks.get(`end ${i}`) ?? Number.NaN) - (marks.get(`begin ${i}`) ?? Number.NaN)) / 1000;
