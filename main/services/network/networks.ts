// What the network manager shows: every network that machines are configured for, with who is plugged in and which addresses they have.
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { AdapterStatus } from "../../../native-core/protocol/network.ts";
import type { NetworkView } from "../../contract/schemas.ts";
import type { ServiceContext } from "../context.ts";
import { vmOf } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";

/** Internal and host-only networks by name, and the NATs, of which each adapter has its own. */
export async function listNetworks(context: ServiceContext): Promise<NetworkView[]> {
  const live = await context.hub.status();
  const views = new Map<string, NetworkView>();
  for (const machine of context.registry.list()) {
    const statuses = new Map((await networkStatus(machine)).map((status) => [status.id, status]));
    for (const adapter of machine.record.config.adapters) {
      if (adapter.network === "none") continue;
      const name = adapter.network === "nat" ? "" : adapter.networkName;
      const key = `${adapter.network} ${name}`;
      const hub = live.find((network) => network.kind === adapter.network && network.name === name);
      const view = views.get(key) ?? {
        kind: adapter.network,
        name,
        hostAddress: adapter.network === "nat" ? "10.0.2.2" : (hub?.hostAddress ?? null),
        members: [],
        leases: [...(hub?.leases ?? [])],
      };
      views.set(key, view);
      const status = statuses.get(adapter.id);
      view.members.push({
        machineId: machine.id,
        machineName: machine.name,
        adapterId: adapter.id,
        mac: adapter.mac,
        isUp: status !== undefined && status.isPlugged && adapter.connected,
      });
      // The host's side of a host-only adapter has no leases of its own: those are the network's.
      if (adapter.network === "nat") view.leases.push(...(status?.leases ?? []));
    }
  }
  return [...views.values()].sort((a, b) => `${a.kind} ${a.name}`.localeCompare(`${b.kind} ${b.name}`));
}

/** Of a machine that runs; empty for others. */
export async function networkStatus(machine: Machine): Promise<AdapterStatus[]> {
  if (machine.vm === null || (machine.state !== "running" && machine.state !== "paused")) return [];
  // It may be ending at this moment.
  return machine.vm.client.request("networkStatus", null).catch(() => []);
}

/** Starts or stops a capture; yields the file that is being written now. */
export async function capture(
  machine: Machine,
  { adapterId, on, file }: { adapterId: string; on: boolean; file?: string | undefined },
): Promise<string | null> {
  const { client } = vmOf(machine);
  if (!on) {
    await client.request("capture", { adapterId, file: null });
    return null;
  }
  if (file !== undefined && !path.isAbsolute(file)) {
    throw new AppError("INVALID_ARGUMENT", `The path has to be absolute: ${file}`, {
      field: "file",
      consequence: "Nothing is captured.",
    });
  }
  const stamp = new Date().toISOString().replace(/[:.]/g, "-").slice(0, 19);
  const target = file ?? path.join(machine.paths.logs, `capture-${adapterId}-${stamp}.pcapng`);
  await client.request("capture", { adapterId, file: target });
  void machine.log.write("info", `Capturing ${adapterId} into ${target}`);
  return target;
}
