// Encryption of a machine at rest: its disks, memory states and UEFI variables (ADR 34).
//
//   passphrase --scrypt--> key of the seal --opens--> machine's key (machine.json) --HKDF--> disks (LUKS in qcow2), states (AES-GCM)
//
// Encrypting and decrypting write every layer and state anew beside the old ones; one change of machine.json makes the new ones count, and
// the old ones are deleted. A crash or a cancel before that leaves the machine as it was.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { newMachineKey, unwrapKey, wrapKey } from "../../../native-core/host/crypt/machine-key.ts";
import { diskSecret } from "../../../native-core/host/crypt/sealed.ts";
import { recodeState } from "../../../native-core/host/state/recode-state.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { Layer, MachineRecord } from "../../store/machine-record.ts";
import { readBacking } from "../../store/qcow2-header.ts";
import { removeInner } from "../../store/recover.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import { newId } from "../ids.ts";
import { isOwn } from "../snapshots/layers.ts";
import type { TaskHandle } from "../tasks.ts";
import type { Machine } from "./machine.ts";
import { requireState } from "./states.ts";

const STILL = ["powered-off", "saved", "aborted"] as const;

/** Has the host keep the key in memory until `lock`, or until it ends. @throws AppError PERMISSION_DENIED for another passphrase */
export async function unlockMachine(context: ServiceContext, machine: Machine, passphrase: string): Promise<void> {
  const key = await unwrapKey(wrappedKeyOf(machine), passphrase);
  context.keys.add(machine.id, key);
  machine.locked = false;
  machine.publish();
}

export async function lockMachine(context: ServiceContext, machine: Machine): Promise<void> {
  await machine.operate(async () => {
    wrappedKeyOf(machine);
    requireState(machine.name, machine.state, STILL, "locked");
    context.keys.forget(machine.id);
    machine.locked = true;
    machine.publish();
  });
}

/** Nothing but the seal of the key is written anew. */
export async function changePassphrase(machine: Machine, passphrase: string, next: string): Promise<void> {
  await machine.operate(async () => {
    const key = await unwrapKey(wrappedKeyOf(machine), passphrase);
    const encryption = await wrapKey(key, next);
    await machine.update(() => ({ encryption }));
    void machine.log.write("info", "The passphrase was changed");
  });
}

/** What QEMU opens the machine's disks with, as the data of a `secret` object. */
export async function diskSecretOf(machine: Machine, passphrase: string): Promise<string> {
  return diskSecret(await unwrapKey(wrappedKeyOf(machine), passphrase));
}

export async function encryptMachine(context: ServiceContext, machine: Machine, passphrase: string): Promise<void> {
  await machine.operate(async () => {
    if (machine.record.encryption !== null) throw wrongState(machine, "is encrypted already");
    const key = newMachineKey();
    const encryption = await wrapKey(key, passphrase);
    context.keys.add(machine.id, key);
    try {
      await recode(context, machine, { title: `Encrypting ${machine.name}`, from: undefined, to: key, encryption });
    } catch (error) {
      if (machine.record.encryption === null) context.keys.forget(machine.id);
      throw error;
    }
    void machine.log.write("info", "The machine was encrypted");
  });
}

export async function decryptMachine(context: ServiceContext, machine: Machine, passphrase: string): Promise<void> {
  await machine.operate(async () => {
    const key = await unwrapKey(wrappedKeyOf(machine), passphrase);
    context.keys.add(machine.id, key);
    machine.locked = false;
    const title = `Decrypting ${machine.name}`;
    await recode(context, machine, { title, from: key, to: undefined, encryption: null });
    context.keys.forget(machine.id);
    void machine.log.write("info", "The machine was decrypted");
  });
}

interface Recoding {
  readonly title: string;
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
  readonly encryption: MachineRecord["encryption"];
}

/** The new place of everything that is written anew, by the old one; relative to the machine's folder. */
interface Moves {
  readonly layers: ReadonlyMap<string, string>;
  readonly states: ReadonlyMap<string, string>;
}

async function recode(context: ServiceContext, machine: Machine, recoding: Recoding): Promise<void> {
  requireState(machine.name, machine.state, STILL, recoding.encryption === null ? "decrypted" : "encrypted");
  const layers = await ownLayers(machine);
  const moves: Moves = {
    layers: new Map(layers.map(({ diskId, file }) => [file, `disks/${diskId}-${newId()}.qcow2`])),
    states: new Map(ownStates(machine.record).map((state) => [state, newStateName(state)])),
  };
  const made = [...moves.layers.values(), ...moves.states.values()];
  const options = { title: recoding.title, machineId: machine.id, cancellable: true };
  await context.tasks.run(options, async (task) => {
    await machine.update(() => ({ pending: { kind: "recode", made } }));
    crashPoint("recode:intent-recorded");
    try {
      await writeAnew(context, machine, layers, moves, recoding, task);
    } catch (error) {
      await removeInner(machine.paths, [...made, ...made.map((name) => `${name}.tmp`)]).catch(() => undefined);
      await machine.settle(() => ({ pending: null }));
      throw error;
    }
    crashPoint("recode:files-made");
    const rest = recoding.to ? await pictures(machine) : ["chunks"];
    const superseded = [...moves.layers.keys(), ...moves.states.keys(), ...rest];
    machine.locked = recoding.encryption === null;
    await machine.update((record) => ({ ...moved(record, moves), encryption: recoding.encryption, superseded }));
    crashPoint("recode:recorded");
    machine.publishSnapshots();
    await removeInner(machine.paths, superseded);
    await machine.update(() => ({ superseded: [] }));
  });
}

async function writeAnew(
  context: ServiceContext,
  machine: Machine,
  layers: readonly OwnLayer[],
  { layers: newLayers, states }: Moves,
  { from, to }: Recoding,
  task: TaskHandle,
): Promise<void> {
  const { folder } = machine.paths;
  const total = layers.length + states.size;
  let done = 0;
  const progress = (share: number) => {
    if (task.signal.aborted) throw cancelled("It");
    task.progress((done + share) / total);
  };
  for (const { file, format, backing } of layers) {
    const below = backing && newLayers.get(path.relative(folder, backing.file).replaceAll(path.sep, "/"));
    const target = {
      file: path.join(folder, newLayers.get(file) ?? ""),
      backing: below === undefined || below === null ? backing : { file: path.join(folder, below), format: "qcow2" },
    };
    const options = { encrypted: to !== undefined, signal: task.signal, progress };
    await context.images.copyLayer({ file: path.join(folder, file), format }, target, options);
    done++;
  }
  for (const [state, next] of states) {
    const chunkFolder = to ? machine.paths.chunks : context.store.data.chunks;
    const target = { folder: path.join(folder, next), chunkFolder, baseFolder: null, machineKey: to };
    await recodeState({ folder: path.join(folder, state), machineKey: from }, target, progress);
    done++;
  }
  await syncFolder(machine.paths.disks);
}

interface OwnLayer extends Layer {
  readonly backing: { readonly file: string; readonly format: string } | null;
}

/** Every layer in the machine's folder that it or a snapshot stands on, those below first. @throws AppError for a disk that lies elsewhere */
async function ownLayers(machine: Machine): Promise<OwnLayer[]> {
  const { config, snapshots, detachedDisks } = machine.record;
  const found = new Map<string, OwnLayer>();
  const visit = async (layer: Layer): Promise<void> => {
    if (found.has(layer.file)) return;
    const file = path.resolve(machine.paths.folder, layer.file);
    const below = await readBacking(file, layer.format);
    if (below === null) {
      const details = { file, field: "disks", consequence: "Nothing was changed.", remedy: "Bring the file back." };
      throw new AppError("NOT_FOUND", `The disk image can't be read: ${file}`, details);
    }
    const backing = below.file === null ? null : { file: below.file, format: await formatOf(below.file) };
    if (backing) {
      const inner = path.relative(machine.paths.folder, backing.file).replaceAll(path.sep, "/");
      if (isOwn(machine, inner)) await visit({ diskId: layer.diskId, file: inner, format: backing.format });
    }
    found.set(layer.file, { ...layer, backing });
  };
  for (const disk of config.disks) {
    if (isOwn(machine, disk.file)) await visit({ diskId: disk.id, file: disk.file, format: disk.format });
    else if (!disk.readOnly) throw elsewhere(machine, disk.file);
  }
  const others = [
    ...detachedDisks.map(({ disk }) => disk),
    ...snapshots.flatMap(({ config }) => config.disks.filter(({ readOnly }) => readOnly)),
  ];
  const layers = snapshots.flatMap((snapshot) => snapshot.layers);
  for (const layer of [...others.map(({ id, file, format }) => ({ diskId: id, file, format })), ...layers]) {
    if (isOwn(machine, layer.file)) await visit(layer);
  }
  return [...found.values()];
}

/** Layers of ours are qcow2; only what somebody brought may be raw. */
async function formatOf(file: string): Promise<"qcow2" | "raw"> {
  return (await readBacking(file, "qcow2")) === null ? "raw" : "qcow2";
}

function ownStates({ savedState, snapshots }: MachineRecord): string[] {
  const states = [savedState, ...snapshots.map((snapshot) => snapshot.memory)];
  return [...new Set(states.filter((state) => state !== null))];
}

/** Beside the old one. */
function newStateName(state: string): string {
  return `${path.posix.dirname(state)}/${newId()}`;
}

/** What shows what the machine's screen showed or its serial ports printed. */
async function pictures({ paths, record }: Machine): Promise<string[]> {
  const logs = existsSync(paths.logs) ? await readdir(paths.logs) : [];
  return [
    "screen.png",
    ...record.snapshots.filter(({ hasThumbnail }) => hasThumbnail).map(({ id }) => `snapshots/${id}/thumbnail.png`),
    ...logs.filter((name) => name.startsWith("ttyS")).map((name) => `logs/${name}`),
  ];
}

function moved(record: MachineRecord, { layers, states }: Moves): Partial<MachineRecord> {
  const place = <T extends { readonly file: string; readonly format: "qcow2" | "raw" }>(each: T): T => {
    const file = layers.get(each.file);
    return file === undefined ? each : { ...each, file, format: "qcow2" };
  };
  const state = (folder: string | null) => (folder === null ? null : (states.get(folder) ?? folder));
  return {
    pending: null,
    config: { ...record.config, disks: record.config.disks.map(place) },
    savedState: state(record.savedState),
    detachedDisks: record.detachedDisks.map((each) => ({ ...each, disk: place(each.disk) })),
    snapshots: record.snapshots.map((snapshot) => ({
      ...snapshot,
      config: { ...snapshot.config, disks: snapshot.config.disks.map(place) },
      layers: snapshot.layers.map(place),
      memory: state(snapshot.memory),
      hasThumbnail: false,
    })),
  };
}

function wrappedKeyOf(machine: Machine): NonNullable<MachineRecord["encryption"]> {
  const { encryption } = machine.record;
  if (encryption !== null) return encryption;
  throw wrongState(machine, "is not encrypted");
}

function wrongState({ name }: Machine, problem: string): AppError {
  return new AppError("INVALID_STATE", `"${name}" ${problem}`, {
    field: "encryption",
    consequence: "Nothing was changed.",
  });
}

function elsewhere({ name }: Machine, file: string): AppError {
  return new AppError("UNSUPPORTED", `"${name}" uses a disk image where it is, and that stays as it is: ${file}`, {
    file,
    field: "encryption",
    consequence: "Nothing was changed.",
    remedy: "Make a full copy of the machine and encrypt that, or take the disk out first.",
  });
}
