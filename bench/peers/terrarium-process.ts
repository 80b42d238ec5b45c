// One machine of a host with a data folder of its own; its serial console is standard output.
// `MARK start` is printed when the machine is told to start: a VM process is what compares with the peers' processes, not the host.
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHost } from "../../main/cli/host-process.ts";
import { connectRpc } from "../../main/rpc/client.ts";
import type { GuestOptions } from "./peer.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as GuestOptions;
const home = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
const control = await startHost(home, 0);
const { client } = await connectRpc(control);

async function end(): Promise<never> {
  await client.host.shutdown({ stopMachines: "power-off" }).catch(() => undefined);
  await rm(home, { recursive: true, force: true, maxRetries: 10 });
  process.exit(0);
}
process.on("SIGTERM", () => void end());

const { id } = await client.machines.create({
  name: "bench",
  kernel: options.kernel,
  initrd: options.initrd,
  commandLine: options.commandLine,
  memoryMiB: options.memoryMiB,
  disks: options.disk ? [{ file: options.disk }] : [],
});
if (options.network) {
  const { reachPort, forwards } = options.network;
  const { config } = await client.machines.get({ id });
  const adapters = config.adapters.map((adapter) => ({
    ...adapter,
    reach: [`host:${reachPort}`],
    forwards: forwards.map(([hostPort, guestPort]) => ({
      protocol: "tcp" as const,
      hostAddress: "127.0.0.1",
      hostPort,
      guestAddress: "",
      guestPort,
    })),
  }));
  await client.machines.configure({ id, config: { ...config, adapters } });
}
process.stdout.write("MARK start\n");
await client.machines.start({ id });
const console0 = connect(join(home, "run", `${id}.sock`));
console0.write("console 0\n");
console0.pipe(process.stdout);
console0.on("close", () => void end());
