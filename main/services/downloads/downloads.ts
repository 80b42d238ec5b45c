// Downloads of catalogue releases into the data folder's `media`, where they stay for the next machine until they are deleted.
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { CatalogueRelease, CatalogueView, DownloadEntry } from "../../contract/catalogue.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { catalogueSystems, releaseById } from "../catalogue/catalogue.ts";
import type { ServiceContext } from "../context.ts";
import { chooseFile, parseChecksums } from "./checksums.ts";
import { type DownloadLimits, download, dropPart, fetchText, PART_SUFFIX } from "./download.ts";

/** One at a time for a release: who asks for it a second time waits for the first. */
const underWay = new WeakMap<ServiceContext, Map<string, Promise<string>>>();

const folderOf = (context: ServiceContext): string => path.join(context.store.data.root, "media");

const names = (context: ServiceContext): Promise<string[]> => readdir(folderOf(context)).catch(() => []);

const isOf = (release: CatalogueRelease, name: string): boolean =>
  new RegExp(`^(?:${release.file})$`).test(name.slice(name.lastIndexOf("/") + 1));

/** The catalogue with what was downloaded of it. */
export async function catalogueView(context: ServiceContext): Promise<CatalogueView> {
  const files = await names(context);
  const systems = await catalogueSystems();
  return systems.map((system) => ({
    ...system,
    releases: system.releases.map((release) => ({
      ...release,
      memoryMiB: release.memoryMiB ?? system.memoryMiB,
      diskMiB: release.diskMiB ?? system.diskMiB,
      downloaded: downloadedFile(context, release, files),
    })),
  }));
}

function downloadedFile(context: ServiceContext, release: CatalogueRelease, files: readonly string[]): string | null {
  const fitting = files.filter((name) => isOf(release, name));
  const newest = fitting.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  return newest === undefined ? null : path.join(folderOf(context), newest);
}

/**
 * The file of a release: the one that is there, or a new one. `newest` asks the publisher whether there is a newer one.
 * @throws AppError as `download`, and NOT_FOUND
 */
export async function downloadRelease(
  context: ServiceContext,
  id: string,
  options: { readonly newest?: boolean; readonly limits?: DownloadLimits } = {},
): Promise<string> {
  const release = await releaseById(id);
  const present = downloadedFile(context, release, await names(context));
  if (present !== null && options.newest !== true) return present;
  const running = underWay.get(context) ?? new Map<string, Promise<string>>();
  underWay.set(context, running);
  const again = running.get(id);
  if (again) return again;
  const started = fetchRelease(context, release, options.limits).finally(() => running.delete(id));
  running.set(id, started);
  return started;
}

async function fetchRelease(
  context: ServiceContext,
  release: CatalogueRelease,
  limits: DownloadLimits | undefined,
): Promise<string> {
  const folder = folderOf(context);
  const options = { title: `Downloading ${release.name}`, machineId: null, cancellable: true };
  return context.tasks.run(options, async ({ signal, progress }) => {
    await withIoFailures(folder, { consequence: "Nothing was downloaded." }, async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    });
    const either = AbortSignal.any([signal, context.closing]);
    const list = new URL(release.checksums, release.folder).href;
    const { name, checksum } = chooseFile(parseChecksums(await fetchText(list, either)), release.file, list);
    const target = path.join(folder, path.basename(name));
    if (await isThere(target)) return target;
    const url = new URL(name, release.folder).href;
    await download({ ...{ url, target, checksum, progress }, signal: either, ...(limits && { limits }) });
    return target;
  });
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Everything in the folder, with the machines that use it. */
export async function listDownloads(context: ServiceContext): Promise<DownloadEntry[]> {
  const releases = (await catalogueSystems()).flatMap((system) => system.releases);
  const entries: DownloadEntry[] = [];
  for (const found of await names(context)) {
    if (found.endsWith(".json")) continue;
    const complete = !found.endsWith(PART_SUFFIX);
    const name = complete ? found : found.slice(0, -PART_SUFFIX.length);
    const file = path.join(folderOf(context), name);
    entries.push({
      ...{ name, file, complete },
      releaseId: releases.find((release) => isOf(release, name))?.id ?? null,
      sizeBytes: await stat(path.join(folderOf(context), found)).then(
        ({ size }) => size,
        () => 0,
      ),
      usedBy: usersOf(context, file),
    });
  }
  return entries.sort((a, b) => a.name.localeCompare(b.name));
}

function usersOf(context: ServiceContext, file: string): string[] {
  const machines = context.registry.list();
  return machines
    .filter(({ record }) => record.config.opticalDrives.some((drive) => drive.file === file))
    .map(({ name }) => name);
}

/** Deletes a download, whole or not; yields the bytes freed. @throws AppError NOT_FOUND, IN_USE */
export async function deleteDownload(context: ServiceContext, name: string): Promise<number> {
  const entry = (await listDownloads(context)).find((each) => each.name === name);
  const consequence = "Nothing was deleted.";
  if (!entry) {
    throw new AppError("NOT_FOUND", `There is no download "${name}"`, {
      ...{ field: "name", consequence, remedy: "Look at the list of downloads; it may be gone already." },
    });
  }
  if (entry.usedBy.length > 0) {
    throw new AppError("IN_USE", `"${name}" is in a drive of ${entry.usedBy.map((each) => `"${each}"`).join(", ")}`, {
      ...{ file: entry.file, field: "name", consequence, remedy: "Take the disc out of the drive first." },
    });
  }
  const isBusy = [...(underWay.get(context)?.keys() ?? [])].includes(entry.releaseId ?? "");
  if (isBusy && !entry.complete) {
    throw new AppError("IN_USE", `"${name}" is being downloaded`, {
      ...{ file: entry.file, field: "name", consequence, remedy: "Cancel the download first." },
    });
  }
  await rm(entry.file, { force: true });
  await dropPart(entry.file);
  return entry.sizeBytes;
}
