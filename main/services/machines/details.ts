// Everything about one machine that its pages show.
import path from "node:path";
import type { MachineDetails } from "../../contract/schemas.ts";
import { readDiskSize } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import { usedBytes } from "../space/usage.ts";
import type { Machine } from "./machine.ts";

export async function machineDetails(context: ServiceContext, machine: Machine): Promise<MachineDetails> {
  const { config } = machine.record;
  const engine = context.engines.get(config.engine);
  return {
    ...machine.summary(),
    config,
    folder: machine.paths.folder,
    capabilities: machine.vm?.capabilities ?? engine?.capabilities ?? null,
    metrics: machine.metrics,
    origin: machine.record.origin,
    startedAtMs: machine.vm?.startedAtMs ?? null,
    disks: await Promise.all(
      config.disks.map(async (disk) => {
        const file = path.resolve(machine.paths.folder, disk.file);
        // An image that is away for the moment is still part of the machine; the start says what is wrong with it.
        const sizeBytes = (await readDiskSize(file, disk.format)) ?? 0;
        return { ...disk, file, sizeBytes, usedBytes: await usedBytes(file) };
      }),
    ),
  };
}
