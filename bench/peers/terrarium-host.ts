// A host of ours with a data folder of its own, driven through the app's contract.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHost } from "../../main/cli/host-process.ts";
import { connectRpc, type RpcClient } from "../../main/rpc/client.ts";

export interface BenchHost {
  readonly client: RpcClient;
  readonly home: string;
  readonly pid: number;
}

/** Runs for as long as `work` takes; its machines end with it. */
export async function withHost<T>(work: (host: BenchHost) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const control = await startHost(home, 0);
  const connection = await connectRpc(control);
  const { client } = connection;
  try {
    return await work({ client, home, pid: control.pid });
  } finally {
    await client.host.shutdown({ stopMachines: "power-off" }).catch(() => undefined);
    connection.close();
    await rm(home, { recursive: true, force: true, maxRetries: 10 });
  }
}
