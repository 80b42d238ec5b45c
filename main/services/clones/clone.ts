// Copies of machines: full, linked, or forks of a running one; one or many. Each has an identity of its own.
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { CloneKind } from "../../contract/schemas.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import { makeMachine, validConfig } from "../machines/creation.ts";
import type { Machine } from "../machines/machine.ts";
import { withNewAddresses } from "../network/adapters.ts";
import type { TaskHandle } from "../tasks.ts";
import { type CloneSource, cloneSource } from "./clone-source.ts";
import { copyParts } from "./full-clone.ts";
import { freezePresent, linkParts } from "./linked-clone.ts";
import { shareDiscs } from "./share.ts";

export interface CloneOptions {
  /** Of several copies each gets a number behind it. */
  readonly name: string;
  readonly kind: CloneKind;
  /** Undefined: of the present. */
  readonly snapshot?: SnapshotRecord | null;
  readonly count?: number;
}

/** The copies made, in order. One that fails or is cancelled takes nothing away from those before it. */
export async function cloneMachine(
  context: ServiceContext,
  source: Machine,
  { name, kind, snapshot = null, count = 1 }: CloneOptions,
): Promise<Machine[]> {
  return source.operate(async () => {
    const present = await cloneSource(source, snapshot);
    const names = copyNames(context, name, count);
    // Refused before anything is frozen or copied.
    for (const each of names)
      context.registry.reserveName(validConfig({ ...present.config, name: each }).name).dispose();
    const options = { title: `Cloning ${source.name}`, machineId: source.id, cancellable: true };
    return context.tasks.run(options, async (task) => {
      const shared = kind !== "full";
      const from = shared && snapshot === null ? await freezePresent(context, source, present) : present;
      const copies: Machine[] = [];
      for (const [index, each] of names.entries()) {
        if (task.signal.aborted) throw cancelled("Cloning");
        const part = within(task, index, names.length);
        copies.push(await makeCopy(context, source, from, each, kind, part));
        part.progress(1);
      }
      return copies;
    });
  });
}

/** One copy of layers that are not written any more. */
export async function makeCopy(
  context: ServiceContext,
  source: Machine,
  from: CloneSource,
  name: string,
  kind: CloneKind,
  task: TaskHandle,
): Promise<Machine> {
  // A copy that goes on with the memory of its source keeps the addresses that its system knows until it boots.
  const adapters = withNewAddresses(from.config.adapters);
  const { sharedFolders } = source.record.config;
  const config = validConfig({ ...from.config, name, disks: [], adapters, sharedFolders });
  // A copy shares layers and memory with its source, so it has the same key and the same passphrase at first.
  const { encryption } = source.record;
  const key = context.keys.require(source);
  const copy = await makeMachine(context, config, async (paths, final) => {
    if (key) context.keys.add(path.basename(final.folder), key);
    const parts =
      kind === "full"
        ? await copyParts(context, source, from, paths, task)
        : await linkParts(context, source, from, paths);
    const opticalDrives = await shareDiscs(source, from.config, paths, final);
    return {
      ...parts,
      config: { opticalDrives },
      encryption,
      origin: { kind, machineId: source.id, machineName: source.name },
    };
  });
  copy.locked = false;
  void copy.log.write("info", `It is a ${KIND_NAMES[kind]} of ${source.name}`);
  return copy;
}

const KIND_NAMES: Readonly<Record<CloneKind, string>> = {
  full: "full copy",
  linked: "linked clone",
  fork: "fork",
};

/** `name` itself for one copy; for more `name 1`, `name 2`, ... without those that are taken. */
export function copyNames(context: ServiceContext, name: string, count: number): string[] {
  if (count === 1) return [name];
  const names: string[] = [];
  for (let number = 1; names.length < count; number++) {
    const candidate = `${name} ${number}`;
    if (isFree(context, candidate)) names.push(candidate);
  }
  return names;
}

function isFree(context: ServiceContext, name: string): boolean {
  try {
    context.registry.reserveName(name).dispose();
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "ALREADY_EXISTS") return false;
    throw error;
  }
}

/** The part of a task that belongs to the `index`th of `count` pieces. */
export function within(task: TaskHandle, index: number, count: number): TaskHandle {
  return { signal: task.signal, progress: (share) => task.progress((index + share) / count) };
}
