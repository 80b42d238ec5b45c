// Changing a configuration: what may change in the present state is declared with each setting, not here.
import { AppError } from "../../../native-core/common/errors.ts";
import { changedFields, type SettingField, settingValue, withSetting } from "../../../native-core/config/changes.ts";
import type { DiskConfig, MachineConfig } from "../../../native-core/config/machine-config.ts";
import { sameHardware } from "../../../native-core/config/network-settings.ts";
import { ADAPTER_SLOTS, keepSlots } from "../../../native-core/config/slots.ts";
import type { Layer } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import { checkDiscs } from "../media/discs.ts";
import { applyAdapters } from "../network/adapters.ts";
import { applySharedFolders } from "../shared-folders/shared-folders.ts";
import { safetySnapshot } from "../snapshots/automatic.ts";
import { scheduleCleanup } from "../snapshots/cleanup.ts";
import { detached } from "../snapshots/independent.ts";
import { removeFiles, topLayers } from "../snapshots/layers.ts";
import { checkBoot, existingImage, validConfig } from "./creation.ts";
import type { Machine } from "./machine.ts";
import { isStill, STATE_NAMES } from "./states.ts";

/**
 * Yields the snapshot that the change can be undone with, where the machine wants one and something about its hardware changed. `revision`:
 * of the record that `wanted` was made from, where changes since are not to be undone by it.
 */
export async function configure(
  context: ServiceContext,
  machine: Machine,
  wanted: unknown,
  revision?: number,
): Promise<string | null> {
  const config = validConfig(wanted);
  const changes = changedFields(machine.record.config, config);
  const concernsGuest = changes.some((change) => isSubstantialChange(change) || change.path === "sharedFolders");
  // Name and notes change at any time; everything else waits for what the machine is doing.
  const apply = () => {
    requireNewest(machine, revision);
    return applyChanges(context, machine, config);
  };
  return concernsGuest ? machine.operate(apply) : apply();
}

async function applyChanges(context: ServiceContext, machine: Machine, asked: MachineConfig): Promise<string | null> {
  const config = withAdaptersInPlace(machine, asked);
  const reservation = context.registry.reserveName(config.name, machine);
  try {
    const changes = changedFields(machine.record.config, config);
    for (const change of changes) requireChangeable(machine, change);
    if (changes.some((change) => change.path.startsWith("boot."))) await checkBoot(context, config);
    if (changes.some((change) => change.path === "disks")) await checkDisks(context, machine, config);
    if (changes.some((change) => change.path === "opticalDrives")) await checkDiscs(config);
    if (changes.some((change) => change.path === "adapters")) await applyAdapters(context, machine, config.adapters);
    if (changes.some((change) => change.path === "sharedFolders")) {
      await applySharedFolders(context, machine, config.sharedFolders);
    }
    if (changes.length === 0) return null;
    const hardware = changes.find((change) => change.change === "off");
    const disksBefore = machine.record.config.disks;
    const undo =
      hardware && config.snapshots.safety ? await safetySnapshot(context, machine, `changing ${hardware.label}`) : null;
    const disksNow = machine.record.config.disks;
    const removed = disksNow.filter(
      ({ bus }, index) => bus !== "nvram" && !config.disks.some(({ file }) => file === disksBefore[index]?.file),
    );
    const wantedNow = { ...config, disks: withNewTops(config.disks, disksBefore, disksNow) };
    // Renaming a machine or describing it does not make it differ from its snapshot.
    const substantial = changes.some(isSubstantialChange);
    await machine.update((record) => ({
      // Only what was meant to change: the rest may have changed meanwhile, such as the disks' layers by a snapshot.
      config: validConfig(
        changes.reduce<unknown>(
          (next, { path }) => withSetting(next as MachineConfig, path, settingValue(wantedNow, path)),
          record.config,
        ),
      ),
      detachedDisks: [...record.detachedDisks, ...removed.map(detached)],
      changedSinceSnapshot: record.changedSinceSnapshot || substantial,
    }));
    // The layer that the snapshot put on UEFI's variables where they are not wanted any more: nobody wrote to it.
    await removeFiles(machine, layersOnly(disksNow, disksBefore, [...wantedNow.disks, ...removed]));
    // A disc that was made for it may be in no drive any more.
    if (changes.some((change) => change.path === "opticalDrives")) scheduleCleanup(context, machine);
    return undo;
  } finally {
    reservation.dispose();
  }
}

function requireNewest({ name, record }: Machine, revision = record.revision): void {
  if (record.revision === revision) return;
  throw new AppError("INVALID_STATE", `"${name}" was changed by somebody else at the same time`, {
    ...{ field: "revision", consequence: "Nothing was changed." },
    remedy: "Look at its settings and try again.",
  });
}

/** Adapters may change at any time, but what they are plugged into is part of the machine, and a running one has to be told. */
function isSubstantialChange({ change, path }: SettingField): boolean {
  return change !== "running" || path === "adapters";
}

/** What comes to or goes from a running machine leaves everything else where its guest knows it. */
function withAdaptersInPlace({ vm, record }: Machine, config: MachineConfig): MachineConfig {
  const before = record.config.adapters;
  if (vm === null || sameHardware(before, config.adapters)) return config;
  return { ...config, adapters: keepSlots(before, config.adapters, ADAPTER_SLOTS) };
}

/** The disks that were asked for, those that the machine had before with the layer that is their top by now. */
function withNewTops(
  wanted: readonly DiskConfig[],
  before: readonly DiskConfig[],
  now: readonly DiskConfig[],
): DiskConfig[] {
  return wanted.map((disk) => {
    const index = before.findIndex((each) => each.file === disk.file);
    const { file, format } = now[index] ?? disk;
    return { ...disk, file, format };
  });
}

/** Top layers of `now` that neither the disks before nor those to come have. */
function layersOnly(now: readonly DiskConfig[], before: readonly DiskConfig[], wanted: readonly DiskConfig[]): Layer[] {
  const others = new Set([...before, ...wanted].map((disk) => disk.file));
  return topLayers(now).filter((layer) => !others.has(layer.file));
}

function requireChangeable(machine: Machine, { change, label, path }: SettingField): void {
  const { state } = machine;
  if (change === "running" || (isStill(state) && (state !== "saved" || change === "saved"))) return;
  throw new AppError("INVALID_STATE", `"${label}" can't be changed while the machine is ${STATE_NAMES[state]}`, {
    field: path,
    consequence: "Nothing was changed.",
    remedy:
      state === "saved" ? "Start it and shut it down, or discard the saved state." : "Shut the machine down first.",
  });
}

/** Disks may be reordered, removed or set read-only; an image that is new has to be a usable one from elsewhere. */
async function checkDisks(context: ServiceContext, machine: Machine, config: MachineConfig): Promise<void> {
  const ids = new Set<string>();
  for (const [index, disk] of config.disks.entries()) {
    const field = `disks.${index}`;
    if (ids.has(disk.id)) {
      throw new AppError("INVALID_CONFIG", `Two disks have the id ${disk.id}`, {
        field: `${field}.id`,
        remedy: "Give each its own.",
      });
    }
    ids.add(disk.id);
    const known = machine.record.config.disks.find((each) => each.file === disk.file);
    const format = known?.format ?? (await existingImage(context, disk.file, field));
    if (format === disk.format) continue;
    // The guest of a raw disk can write any header: what was recorded is never judged anew.
    throw new AppError("INVALID_CONFIG", `${disk.file} is a ${format} image`, {
      file: disk.file,
      field: `${field}.format`,
      remedy: `Set its format to ${format}.`,
    });
  }
}
