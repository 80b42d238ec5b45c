// Repairs a disk layer of a machine that is off or saved. Wrong counts are made anew where the layer is. A layer with lost data is written
// anew beside the old one, with what another copy has, and takes its place only when all of it reads as it should.
import { createHash } from "node:crypto";
import { copyFile, lstat, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { isAllZero } from "../../../native-core/common/zero.ts";
import { syncFile, syncFolder, temporaryName } from "../../store/atomic-file.ts";
import { readBacking, readDiskSize } from "../../store/qcow2-header.ts";
import { PIECE_BYTES } from "../backup/repository.ts";
import type { ServiceContext } from "../context.ts";
import type { LayerCheck, OpenedImage } from "../disks/disk-images.ts";
import type { Machine } from "../machines/machine.ts";
import { isOwn } from "../snapshots/layers.ts";
import { type KeptBackup, readContents } from "./backup-contents.ts";

export interface DamagedLayer {
  /** As in the record. */
  readonly file: string;
  readonly format: "qcow2" | "raw";
}

/** Of layers but the first one of a disk (snapshots/layers.ts). */
const UNIQUE_NAME = /-[0-9a-f]{12}\.qcow2$/;

type Damage = LayerCheck["damage"];

/** A part of a disk that is read at once, so that little of what can be read is left out. */
const GRAIN_BYTES = 64 << 10;

/** The machine's operations are held and it is at rest. Whether the layer is whole afterwards is for the caller to check. */
export async function repairLayer(
  context: ServiceContext,
  machine: Machine,
  layer: DamagedLayer,
  backups: readonly KeptBackup[],
): Promise<void> {
  if (layer.format !== "qcow2" || !isOwn(machine, layer.file)) return;
  const file = path.join(machine.paths.folder, layer.file);
  const check = await context.images.check(file, layer.format).catch(() => undefined);
  if (check === null) return;
  if (check?.damage.length === 0) {
    if (check.hasWrongCounts || check.leakedBytes > 0) await context.images.repairCounts(file);
    return;
  }
  if (await takeTwin(context, machine, file)) return;
  if (!check || machine.record.encryption !== null) return;
  if (isTop(machine, file)) return;
  for (const backup of backups) if (await takeFromBackup(context, machine, file, check.damage, backup)) return;
}

/** Puts `make`s file in the place of `file` when it is whole and `isRight`. */
async function replace(
  context: ServiceContext,
  file: string,
  make: (target: string) => Promise<void>,
  isRight: (target: string) => Promise<boolean>,
): Promise<boolean> {
  const target = temporaryName(file);
  try {
    await make(target);
    await syncFile(target);
    const made = await context.images.check(target, "qcow2");
    if (!made || made.damage.length > 0 || made.hasWrongCounts || !(await isRight(target))) return false;
    await rename(target, file);
    await syncFolder(path.dirname(file));
    return true;
  } finally {
    await rm(target, { force: true });
  }
}

/**
 * A file of the same name in another machine, which shared the layer when it was frozen: names are random, and frozen layers don't change. It is
 * another file only where the file system has no hard links, or after a repair.
 */
async function takeTwin(context: ServiceContext, machine: Machine, file: string): Promise<boolean> {
  const name = path.basename(file);
  if (!UNIQUE_NAME.test(name) || isTop(machine, file)) return false;
  const ours = await lstat(file).catch(() => null);
  for (const other of context.registry.list()) {
    const twin = path.join(other.paths.disks, name);
    const theirs = other === machine ? null : await lstat(twin).catch(() => null);
    if (theirs === null || theirs.ino === ours?.ino || isTop(other, twin) || !(await isAlike(file, twin))) continue;
    if (
      await replace(
        context,
        file,
        (target) => copyFile(twin, target),
        async () => true,
      )
    )
      return true;
  }
  return false;
}

function isTop({ record, paths }: Machine, file: string): boolean {
  return record.config.disks.some((disk) => path.resolve(paths.folder, disk.file) === file);
}

async function isAlike(file: string, twin: string): Promise<boolean> {
  const [ours, theirs] = [await readBacking(file, "qcow2"), await readBacking(twin, "qcow2")];
  if (theirs === null) return false;
  // Our own header may be what is damaged.
  if (ours === null)
    return theirs.file === null || (await readdir(path.dirname(file))).includes(path.basename(theirs.file));
  const name = (backing: { readonly file: string | null }) => backing.file && path.basename(backing.file);
  return name(ours) === name(theirs) && (await readDiskSize(file, "qcow2")) === (await readDiskSize(twin, "qcow2"));
}

/** A backup of the moment that this layer was the last one, in which all that can still be read of it is the same. */
async function takeFromBackup(
  context: ServiceContext,
  machine: Machine,
  file: string,
  damage: Damage,
  { repository, manifest }: KeptBackup,
): Promise<boolean> {
  const name = path.basename(file);
  if (!UNIQUE_NAME.test(name) && manifest.machineId !== machine.id) return false;
  const contents = manifest.disks.find((disk) => disk.layer === name);
  const agrees = async (at: string, unknown: Damage): Promise<boolean> => {
    // Of a layer that can't be opened nothing can be compared.
    if (isAll(unknown, contents?.sizeBytes ?? 0)) return contents?.sizeBytes === (await readDiskSize(at, "qcow2"));
    const image = await context.images.open(at, "qcow2");
    try {
      return contents?.sizeBytes === image.sizeBytes && (await isSame(image, unknown));
    } finally {
      await image.close();
    }
  };
  const isSame = async (image: OpenedImage, unknown: Damage): Promise<boolean> => {
    for (const [index, piece] of contents?.pieces.entries() ?? []) {
      const offset = index * PIECE_BYTES;
      const length = Math.min(PIECE_BYTES, image.sizeBytes - offset);
      const isWhole = !unknown.some((range) => range.offset < offset + length && offset < range.offset + range.length);
      const is = isWhole
        ? await isPiece(image, offset, length, piece)
        : await isLikePiece(image, unknown, offset, piece ? await repository.get(piece) : new Uint8Array(length));
      if (!is) return false;
    }
    return true;
  };
  if (!contents || !(await agrees(file, damage).catch(() => false))) return false;
  const rescue = (offset: number, length: number) => readContents(repository, contents, offset, length);
  const make = (target: string) => context.images.salvage(file, target, damage, rescue);
  return replace(context, file, make, (target) => agrees(target, []));
}

function isAll([range]: Damage, sizeBytes: number): boolean {
  return range?.offset === 0 && range.length === sizeBytes;
}

async function isPiece(image: OpenedImage, offset: number, length: number, piece: string | null): Promise<boolean> {
  const extent = await image.extentAt(offset, length);
  if (extent.kind === "zero" && extent.length === length) return piece === null;
  const bytes = new Uint8Array(length);
  await image.read(offset, bytes);
  return isAllZero(bytes) ? piece === null : createHash("sha256").update(bytes).digest("hex") === piece;
}

/** Whether what can be read of it is the same. */
async function isLikePiece(image: OpenedImage, unknown: Damage, offset: number, bytes: Uint8Array): Promise<boolean> {
  for (let at = 0; at < bytes.length; at += GRAIN_BYTES) {
    const place = offset + at;
    if (unknown.some((range) => range.offset <= place && place < range.offset + range.length)) continue;
    const expected = bytes.subarray(at, at + GRAIN_BYTES);
    const actual = new Uint8Array(expected.length);
    await image.read(place, actual);
    if (Buffer.compare(actual, expected) !== 0) return false;
  }
  return true;
}
