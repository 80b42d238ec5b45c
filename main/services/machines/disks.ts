// Disks that come to a machine and leave it, whether it is off or runs. Their files stay.
import { rm } from "node:fs/promises";
import path from "node:path";
import type { z } from "zod";
import { AppError } from "../../../native-core/common/errors.ts";
import type { DiskConfig, PluggableBus } from "../../../native-core/config/machine-config.ts";
import { DISK_SLOTS, keepSlots } from "../../../native-core/config/slots.ts";
import type { newDiskSchema } from "../../contract/index.ts";
import type { ServiceContext } from "../context.ts";
import { detached } from "../snapshots/independent.ts";
import { detachedDisk } from "../snapshots/trash.ts";
import { makeDisk, validConfig } from "./creation.ts";
import type { Machine } from "./machine.ts";
import { requireState } from "./states.ts";

export async function addDisk(
  context: ServiceContext,
  machine: Machine,
  wanted: z.infer<typeof newDiskSchema>,
  bus: PluggableBus = "virtio",
): Promise<void> {
  await machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "aborted", "running", "paused"], "given a disk");
    const image = await makeDisk(context, machine.paths, wanted, freeDiskId(machine), "disk");
    const made: DiskConfig = bus === "virtio" ? image : { ...image, bus };
    try {
      await putIn(machine, made);
    } catch (error) {
      if (!path.isAbsolute(made.file)) await rm(path.join(machine.paths.folder, made.file), { force: true });
      throw error;
    }
  });
}

/** Puts a disk back that was taken out; `file` is its image as an absolute path. @throws AppError NOT_FOUND */
export async function attachDisk(context: ServiceContext, machine: Machine, file: string): Promise<void> {
  await machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "aborted", "running", "paused"], "given a disk");
    context.keys.require(machine);
    const { disk } = detachedDisk(machine, file, false);
    const { disks } = machine.record.config;
    const { slot, ...rest } = disk;
    const isSlotFree = slot !== undefined && !disks.some((each) => each.slot === slot && each.bus === disk.bus);
    const id = disks.some((each) => each.id === disk.id) ? freeDiskId(machine) : disk.id;
    await putIn(machine, { ...rest, id, ...(isSlotFree && { slot }) });
    void machine.log.write("info", `The disk ${id} was put back`);
  });
}

/** The machine has the disk from then on, which it hasn't taken out any more. The caller holds the machine's operations. */
async function putIn(machine: Machine, made: DiskConfig): Promise<void> {
  const { vm } = machine;
  const before = machine.record.config.disks;
  const disks = vm === null ? [...before, made] : withDisksInPlace(before, [...before, made]);
  const config = validConfig({ ...machine.record.config, disks });
  const disk = disks.at(-1);
  if (vm !== null && disk) {
    await vm.client.request("attachDisk", { disk: { ...disk, file: path.resolve(machine.paths.folder, disk.file) } });
  }
  await machine.update(({ detachedDisks }) => ({
    config,
    detachedDisks: detachedDisks.filter((each) => each.disk.file !== made.file),
    changedSinceSnapshot: true,
  }));
}

/**
 * Takes a disk out of the machine; its file stays, which is what it yields. Null: the running guest keeps it, and it goes when the guest lets go of it.
 * `force` takes it away as one pulls a plug.
 */
export async function removeDisk(machine: Machine, diskId: string, force: boolean): Promise<string | null> {
  return machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "aborted", "running", "paused"], "relieved of a disk");
    const disk = machine.record.config.disks.find(({ id, bus }) => id === diskId && bus !== "nvram");
    if (!disk) {
      throw new AppError("NOT_FOUND", `"${machine.name}" has no disk ${diskId}`, {
        ...{ field: "diskId", consequence: "Nothing was changed." },
        remedy: "Look at the machine's disks.",
      });
    }
    if (machine.vm !== null) {
      const { detached } = await machine.vm.client.request("detachDisk", { diskId, force });
      if (!detached) return null;
    }
    await withoutDisk(machine, diskId);
    return path.resolve(machine.paths.folder, disk.file);
  });
}

/** The guest let go of a disk that it had been asked for. */
export async function diskDetached(machine: Machine, diskId: string): Promise<void> {
  await machine.operate(() => withoutDisk(machine, diskId));
}

async function withoutDisk(machine: Machine, diskId: string): Promise<void> {
  const { vm } = machine;
  await machine.update(({ config, detachedDisks }) => {
    const rest = config.disks.filter(({ id }) => id !== diskId);
    const disks = vm === null ? rest : withDisksInPlace(config.disks, rest);
    const removed = config.disks.filter(({ id }) => id === diskId).map(detached);
    return {
      config: { ...config, disks },
      detachedDisks: [...detachedDisks, ...removed],
      changedSinceSnapshot: true,
    };
  });
  void machine.log.write("info", `The disk ${diskId} was taken out`);
}

/** Not used by the machine nor by any of its snapshots, so that files and devices are never mixed up. */
function freeDiskId(machine: Machine): string {
  const used = new Set(machine.record.config.disks.map((disk) => disk.id));
  for (const { disk } of machine.record.detachedDisks) used.add(disk.id);
  for (const snapshot of machine.record.snapshots) for (const { id } of snapshot.config.disks) used.add(id);
  let number = 0;
  while (used.has(`disk${number}`)) number += 1;
  return `disk${number}`;
}

/** What comes to or goes from a running machine leaves everything else where its guest knows it. */
function withDisksInPlace(before: readonly DiskConfig[], wanted: readonly DiskConfig[]): DiskConfig[] {
  const placed = (["virtio", "scsi"] as const).flatMap((bus) => {
    const hangsThere = (disk: DiskConfig): boolean => (disk.bus ?? "virtio") === bus;
    return keepSlots(before.filter(hangsThere), wanted.filter(hangsThere), DISK_SLOTS);
  });
  return wanted.map((disk) => placed.find(({ id }) => id === disk.id) ?? disk);
}
