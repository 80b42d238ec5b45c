// Suite `guest`: boot to the first line of init, then seven workloads in busybox; ours, QEMU TCG, v86 in turn, and the host itself.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { amd64Image, type GuestImage, i386Image } from "../guests/images.ts";
import { benchInit, WORKLOADS, workloadScript } from "../guests/workloads.ts";
import { type Marks, type Peer, startGuest } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { V86 } from "../peers/v86.ts";
import { geometricMean, median, type Report, type ReportRow } from "../table.ts";

const TIMEOUT_MS = 300_000;
const COMMAND_LINE = "console=ttyS0 quiet panic=-1";

export async function guestSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const amd64 = await amd64Image("guest", benchInit());
  const i386 = await i386Image("guest", benchInit());
  const participants: [Peer, GuestImage | undefined][] = [
    [TERRARIUM, amd64],
    [QEMU, amd64],
    [V86, i386],
  ];
  const versions: Record<string, string> = {};
  const missing: Record<string, string> = {};
  const results = new Map<string, Marks[]>();
  const present: [Peer, GuestImage][] = [];
  for (const [peer, image] of participants) {
    const reason = image ? await peer.missing() : "the i386 packages could not be fetched";
    if (reason || !image) missing[peer.name] = reason ?? "no image";
    else {
      present.push([peer, image]);
      versions[peer.name] = await peer.version();
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [peer, image] of present) {
      progress(`round ${round}: ${peer.name}`);
      const marks = await runOnce(peer, image).catch((error: Error) => {
        missing[peer.name] = error.message.split("\n")[0] ?? "failed";
        return undefined;
      });
      if (marks) results.set(peer.name, [...(results.get(peer.name) ?? []), marks]);
    }
    progress(`round ${round}: native`);
    results.set("native", [...(results.get("native") ?? []), await native(amd64.busybox)]);
  }
  return { suite: "guest", versions, missing, rounds, rows: rows(results), notes: summary(results) };
}

async function runOnce(peer: Peer, { kernel, initrd }: GuestImage): Promise<Marks> {
  const guest = startGuest(peer, { kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 256 });
  try {
    await guest.waitFor("done", TIMEOUT_MS);
    return guest.marks;
  } finally {
    guest.kill();
  }
}

async function native(busybox: string): Promise<Marks> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const marks = new Map<string, number>();
  const start = performance.now();
  try {
    // The guest's PATH holds nothing but busybox, so the host's must not either.
    const applets = `B=${busybox}; T=${folder}; for a in awk cat dd gzip head md5sum rev seq sha256sum sort true; do eval "$a() { $B $a \\"\\$@\\"; }"; done`;
    const child = spawn(busybox, ["sh", "-c", `${applets}\n${workloadScript()}`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const mark = /MARK (.+?)\s*$/.exec(line)?.[1];
      if (mark) marks.set(mark, performance.now() - start);
    });
    await new Promise((resolve) => child.on("close", resolve));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return marks;
}

const duration = (marks: Marks, name: string): number =>
  ((marks.get(`end ${name}`) ?? Number.NaN) - (marks.get(`begin ${name}`) ?? Number.NaN)) / 1000;

function rows(results: ReadonlyMap<string, readonly Marks[]>): ReportRow[] {
  const boot: Record<string, number> = {};
  for (const [name, runs] of results)
    if (name !== "native") boot[name] = median(runs.map((marks) => (marks.get("init") ?? Number.NaN) / 1000));
  return [
    { what: "start to first line of init (cold)", unit: "s", values: boot },
    ...WORKLOADS.map((workload) => ({
      what: workload.title,
      unit: "s",
      values: Object.fromEntries(
        [...results].map(([name, runs]) => [name, median(runs.map((marks) => duration(marks, workload.name)))]),
      ),
    })),
  ];
}

function summary(results: ReadonlyMap<string, readonly Marks[]>): string[] {
  const ours = results.get(TERRARIUM.name);
  if (!ours) return [];
  return [...results].flatMap(([name, runs]) => {
    if (name === TERRARIUM.name) return [];
    const ratios = WORKLOADS.map(
      (workload) =>
        median(runs.map((m) => duration(m, workload.name))) / median(ours.map((m) => duration(m, workload.name))),
    );
    return [
      `Terrarium's speed against ${name}: ${geometricMean(ratios).toFixed(2)}x (geometric mean of ${WORKLOADS.length} workloads).`,
    ];
  });
}
