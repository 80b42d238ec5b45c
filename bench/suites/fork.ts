// Suite `fork`: fifty forks of one running 256 MB machine at once, until each has answered a command; what they take in memory and on disk.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { amd64Image } from "../guests/images.ts";
import { processTree } from "../peers/peer.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { withHost } from "../peers/terrarium-host.ts";
import { sharedMiB } from "../process-figures.ts";
import { type Report, rowOf } from "../table.ts";
import { BUSY_INIT, COMMAND_LINE, TIMEOUT_MS } from "./snapshot.ts";

const run = promisify(execFile);
const COUNT = 50;

/** Milliseconds and MiB. */
interface ForkSample {
  readonly made: number;
  readonly answered: number;
  readonly memory: number;
  readonly disk: number;
}

export async function forkSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const image = await amd64Image("snapshot", BUSY_INIT);
  const samples: ForkSample[] = [];
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round}`);
    samples.push(await fifty(image));
  }
  const results = new Map([[TERRARIUM.name, samples]]);
  return {
    suite: "fork",
    versions: { [TERRARIUM.name]: await TERRARIUM.version() },
    missing: {},
    rounds,
    rows: [
      rowOf(`${COUNT} forks: until all run`, "ms", results, ({ made }) => made),
      rowOf(`${COUNT} forks: until each has answered a command`, "ms", results, ({ answered }) => answered),
      rowOf("each: until it has answered, on average", "ms", results, ({ answered }) => answered / COUNT),
      rowOf("each: memory of its process, shared pages by their part", "MiB", results, ({ memory }) => memory / COUNT),
      rowOf("each: disk", "MiB", results, ({ disk }) => disk / COUNT),
    ],
    notes: ["The guest has 64 MB of random bytes in its memory; the original runs on meanwhile."],
  };
}

function fifty({ kernel, initrd }: { readonly kernel: string; readonly initrd: string }): Promise<ForkSample> {
  return withHost(async ({ client, home, pid }) => {
    const machine = { name: "bench", kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 256 };
    const { id } = await client.machines.create(machine);
    await client.machines.start({ id });
    await client.machines.waitForOutput({ id, pattern: "MARK idle", timeoutMs: TIMEOUT_MS });
    const processes = async () => (await processTree(pid)).filter((each) => each !== pid);
    const before = { memory: await sharedMiB(await processes()), disk: await diskMiB(home) };
    const start = performance.now();
    const forks = await client.machines.fork({ id, count: COUNT });
    const made = performance.now() - start;
    await Promise.all(
      forks.map(async (fork) => {
        await client.machines.sendText({ id: fork.id, text: "echo B$((40+2))\n" });
        await client.machines.waitForOutput({ id: fork.id, pattern: "B42", timeoutMs: TIMEOUT_MS });
      }),
    );
    const answered = performance.now() - start;
    const memory = (await sharedMiB(await processes())) - before.memory;
    return { made, answered, memory, disk: (await diskMiB(home)) - before.disk };
  });
}

/** Hard links counted once. */
async function diskMiB(folder: string): Promise<number> {
  const { stdout } = await run("du", ["-sk", folder]);
  return Number.parseInt(stdout, 10) / 1024;
}
