// Every disk image and disc that machines know: attached ones with their layers, those that were taken out, and files in machine folders that nothing names any more.
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { DiskEntry } from "../../contract/schemas.ts";
import { readDiskSize } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { usedBytes } from "../space/usage.ts";

export async function listDisks(context: ServiceContext): Promise<DiskEntry[]> {
  const perMachine = await Promise.all(context.registry.list().map(disksOf));
  return perMachine.flat();
}

async function disksOf(machine: Machine): Promise<DiskEntry[]> {
  const { folder, disks } = machine.paths;
  const { config, snapshots } = machine.record;
  const named = new Set<string>();
  const resolve = (file: string): string => {
    const found = path.resolve(folder, file);
    named.add(found);
    return found;
  };
  const layersOf = new Map<string, Set<string>>();
  for (const { layers } of snapshots) {
    for (const { diskId, file } of layers) {
      const files = layersOf.get(diskId) ?? new Set();
      layersOf.set(diskId, files.add(resolve(file)));
    }
  }
  const entries: DiskEntry[] = [];
  for (const disk of config.disks) {
    const file = resolve(disk.file);
    const below = [...(layersOf.get(disk.id) ?? [])].filter((layer) => layer !== file);
    entries.push({
      ...(await factsOf(file, disk.format)),
      machineId: machine.id,
      machineName: machine.name,
      diskId: disk.id,
      readOnly: disk.readOnly,
      layerBytes: (await Promise.all(below.map(usedBytes))).reduce((sum, bytes) => sum + bytes, 0),
      inUse: machine.vm !== null,
      detached: false,
    });
  }
  for (const drive of config.opticalDrives) {
    if (drive.file === null) continue;
    entries.push({
      ...(await factsOf(drive.file, "iso")),
      machineId: machine.id,
      machineName: machine.name,
      diskId: drive.id,
      readOnly: true,
      layerBytes: 0,
      inUse: machine.vm !== null,
      detached: false,
    });
  }
  for (const { disk, deletedAtMs } of machine.record.detachedDisks) {
    const file = resolve(disk.file);
    if (deletedAtMs !== null) continue;
    const facts = { ...(await factsOf(file, disk.format)), machineId: machine.id, machineName: machine.name };
    const state = { readOnly: disk.readOnly, layerBytes: 0, inUse: false, detached: true };
    entries.push({ ...facts, ...state, diskId: disk.id });
  }
  const files = await readdir(disks).catch(() => []);
  for (const name of files) {
    const file = path.join(disks, name);
    if (named.has(file) || !/\.(qcow2|raw|img)$/.test(name)) continue;
    const format = name.endsWith(".qcow2") ? "qcow2" : "raw";
    const state = { diskId: null, readOnly: false, layerBytes: 0, inUse: false, detached: false };
    entries.push({ ...(await factsOf(file, format)), machineId: machine.id, machineName: machine.name, ...state });
  }
  return entries;
}

async function factsOf(file: string, format: DiskEntry["format"]) {
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return { file, format, missing: true, sizeBytes: 0, usedBytes: 0 };
  const sizeBytes = format === "iso" ? found.size : ((await readDiskSize(file, format)) ?? 0);
  return { file, format, missing: false, sizeBytes, usedBytes: await usedBytes(file) };
}
