// Full copies: disks without layers, memory if the source has a saved state, and an identity of their own.
import { copyFile, link, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled, explained } from "../failures.ts";
import { newId } from "../ids.ts";
import type { TaskHandle } from "../tasks.ts";
import { makeMachine, type NewMachineParts, validConfig } from "./creation.ts";
import type { Machine } from "./machine.ts";
import { requireState } from "./states.ts";

/** Of the machine's present, or of `snapshot`. The source has to be at rest for the former only. */
export async function cloneMachine(
  context: ServiceContext,
  source: Machine,
  name: string,
  snapshot: SnapshotRecord | null,
): Promise<Machine> {
  return source.operate(async () => {
    if (snapshot === null) requireState(source.name, source.state, ["powered-off", "saved", "aborted"], "cloned");
    const from = {
      config: snapshot?.config ?? source.record.config,
      memory: snapshot === null ? source.record.savedState : snapshot.memory,
    };
    const config = validConfig({ ...from.config, name, disks: [] });
    const title = `Cloning ${source.name}`;
    return context.tasks.run({ title, machineId: source.id, cancellable: true }, (task) =>
      makeMachine(context, config, (paths) => copyParts(context, source, from.config.disks, from.memory, paths, task)),
    );
  });
}

async function copyParts(
  context: ServiceContext,
  source: Machine,
  disks: readonly DiskConfig[],
  memory: string | null,
  target: MachinePaths,
  task: TaskHandle,
): Promise<NewMachineParts> {
  const copies: DiskConfig[] = [];
  for (const [index, disk] of disks.entries()) {
    if (task.signal.aborted) throw cancelled("Cloning");
    const file = `disks/${disk.id}.qcow2`;
    const layer = { file: path.resolve(source.paths.folder, disk.file), format: disk.format };
    const options = {
      signal: task.signal,
      progress: (share: number) => task.progress((index + share) / disks.length),
    };
    await context.images.flatten(layer, path.join(target.folder, file), options).catch((error: unknown) => {
      throw explained(error, {
        field: `disks.${index}`,
        consequence: "The copy was not made.",
        remedy: "Bring the file back to its place, or copy another snapshot.",
      });
    });
    copies.push({ ...disk, file, format: "qcow2" });
  }
  crashPoint("clone:files-copied");
  if (memory === null) return { disks: copies };
  const savedState = `saved-state/${newId()}`;
  await copyState(path.join(source.paths.folder, memory), path.join(target.folder, savedState));
  return { disks: copies, savedState };
}

/** Memory is shared between states by hard links and never written again, so a copy of a state costs nothing. */
async function copyState(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await copyState(source, target);
    // Where the file system has no hard links the bytes are copied.
    else await link(source, target).catch(() => copyFile(source, target));
  }
  await syncFolder(to);
}
