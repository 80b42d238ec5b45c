// Takes snapshots and saves states of a machine: a short pause to take hold of everything, then the writing while the guest runs on.
//
//   pause:       requests to disks end - pages are marked - devices are saved - new disk layers go on top
//   afterwards:  pages are copied out in small steps, compressed and written by a worker; the state becomes visible when durable
import { access } from "node:fs/promises";
import { join } from "node:path";
import { withFormerPages } from "../cpu/recent-pages.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineRunner } from "../machine/runner.ts";
import type { SnapshotResult } from "../protocol/engine.ts";
import { StateSeal } from "./crypt/sealed.ts";
import { type DiskSet, discardLayers, type PreparedLayer } from "./disk-set.ts";
import type { Thumbnail } from "./screenshots.ts";
import { PACKS_FOLDER, packName } from "./state/format.ts";
import type { GuestPages } from "./state/guest-pages.ts";
import { PageCapture } from "./state/page-capture.ts";
import type { PageLoader } from "./state/page-loader.ts";
import { PageMap } from "./state/page-map.ts";
import { encodeState, type MachineShape, readPageMap, type SavedState } from "./state/state-folder.ts";
import { StateWriterClient } from "./state/state-writer-client.ts";

/** Pages copied out between two slices: 1 MiB, half a millisecond. */
const STEP_PAGES = 256;

export interface SaverParts {
  readonly machine: Machine;
  readonly pages: GuestPages;
  readonly runner: MachineRunner;
  readonly disks: DiskSet;
  /** As it is at the moment: disks may come and go. */
  readonly shape: () => MachineShape;
  readonly chunkFolder: string;
  readonly machineKey?: Uint8Array | undefined;
  readonly recentPages: () => Uint32Array<ArrayBuffer>;
  /** Grabs the picture as it is now; it is scaled and packed later. */
  readonly grabThumbnail: () => Thumbnail | null;
}

/** A new layer for each writable disk. */
type Overlays = readonly { readonly diskId: string; readonly file: string }[];

export interface SaveOptions {
  readonly folder: string;
  /** Undefined saves the state without touching the disks. */
  readonly overlays?: Overlays;
  /** Whether the guest runs on after the pause. */
  readonly resume: boolean;
}

/** What the pause brought in. */
interface Hold {
  readonly capture: PageCapture;
  readonly stateJson: string;
  readonly pauseMs: number;
}

export class StateSaver {
  readonly #parts: SaverParts;
  /** Where pages that did not change since are stored, and the state that has links to those packs. */
  #base: PageMap;
  #baseFolder: string | null = null;
  #recentPages: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  #loader: PageLoader | undefined;

  constructor(parts: SaverParts) {
    this.#parts = parts;
    this.#base = PageMap.empty(parts.pages.count);
  }

  /** Memory comes from this state: later ones only hold what changed since. */
  continuesFrom({ folder, map, recentPages }: SavedState, loader: PageLoader): void {
    this.#base = map;
    this.#baseFolder = folder;
    this.#recentPages = recentPages;
    this.#loader = loader;
  }

  /** One at a time. Rejects with AppError; the machine is as before then, save that new disk layers stay in use. */
  async save(options: SaveOptions): Promise<SnapshotResult> {
    const { disks, chunkFolder, grabThumbnail, machineKey } = this.#parts;
    const base = await this.#usableBase();
    const layers = options.overlays ? await disks.prepareLayers(options.overlays) : [];
    // A moment before the pause: drawing a screen for the first time takes longer than all the rest of it.
    const thumbnail = grabThumbnail();
    const writer = new StateWriterClient({
      folder: options.folder,
      chunkFolder,
      baseFolder: this.#baseFolder,
      basePacks: base.packs,
      machineKey,
    });
    let taken: Hold;
    try {
      taken = await this.#takeHold(options, base, layers);
    } catch (error) {
      // Layers that are on top already are the guest's disks now.
      await discardLayers(layers.filter(({ disk, image }) => disk.top !== image));
      await writer.abort();
      throw error;
    }
    const { capture, stateJson, pauseMs } = taken;
    let newPages = 0;
    try {
      for (let step = capture.next(STEP_PAGES); step; step = capture.next(STEP_PAGES)) {
        for (const chunk of step.chunks) newPages += chunk.pages.length;
        await writer.add(step.chunks, step.zeroPages);
      }
      // Frozen layers are part of the snapshot: durable before anybody is told that it exists.
      await Promise.all(disks.disks.map((disk) => disk.frozen));
      const { map, writtenBytes } = await writer.finish(base, stateJson);
      this.#base = map;
      this.#baseFolder = options.folder;
      const thumbnailPng = thumbnail?.encode().png ?? null;
      return { pauseMs, writtenBytes, newPages, totalPages: map.storedPages, thumbnailPng };
    } catch (error) {
      capture.cancel();
      await writer.abort();
      throw error;
    }
  }

  /** The disks of one instant, without memory: what the next state has to hold stays as it is. Rejects like `save`. */
  async freezeDisks(overlays: Overlays): Promise<SnapshotResult> {
    const { disks, runner } = this.#parts;
    const layers = await disks.prepareLayers(overlays);
    const wasRunning = runner.running;
    const start = performance.now();
    runner.pause();
    try {
      await disks.useLayers(layers);
    } catch (error) {
      await discardLayers(layers.filter(({ disk, image }) => disk.top !== image));
      throw error;
    } finally {
      // A guest whose requests wait for room on the disk stands still until somebody resumes it.
      if (wasRunning && !disks.full.isFull) runner.resume();
    }
    const pauseMs = performance.now() - start;
    await Promise.all(disks.disks.map((disk) => disk.frozen));
    return { pauseMs, writtenBytes: 0, newPages: 0, totalPages: 0, thumbnailPng: null };
  }

  /** The pause. */
  async #takeHold(options: SaveOptions, base: PageMap, layers: readonly PreparedLayer[]): Promise<Hold> {
    const { machine, pages, runner, disks, shape } = this.#parts;
    const wasRunning = runner.running;
    const start = performance.now();
    runner.pause();
    try {
      if (layers.length > 0) await disks.useLayers(layers);
      else await disks.drain();
      await machine.drainSharedFolders();
      const machineState = machine.save();
      // Of the TLBs, which are emptied below.
      this.#recentPages = withFormerPages(this.#parts.recentPages(), this.#recentPages);
      const capture = new PageCapture(pages);
      capture.begin(this.#base !== base);
      const pauseMs = performance.now() - start;
      if (options.resume && wasRunning) runner.resume();
      // Plain data by now, so turning it into text can wait until the guest runs again.
      const stateJson = encodeState(shape(), machineState, Date.now(), this.#recentPages);
      if (!options.resume) await disks.flush();
      return { capture, stateJson, pauseMs };
    } catch (error) {
      // A guest whose requests wait for room on the disk stands still until somebody resumes it.
      if (wasRunning && !disks.full.isFull) runner.resume();
      throw error;
    }
  }

  /** The base, unless its packs are gone; then everything is brought here and saved anew. */
  async #usableBase(): Promise<PageMap> {
    if (await this.#isThere(this.#base)) return this.#base;
    // Compaction may have moved its chunks (state/compact-packs.ts): its folder says where to.
    const { machineKey } = this.#parts;
    const moved = this.#baseFolder && readPageMap(this.#baseFolder, machineKey && new StateSeal(machineKey));
    const map = await Promise.resolve(moved).catch(() => null);
    if (map && (await this.#isThere(map))) {
      this.#base = map;
      return map;
    }
    this.#loader?.loadAll();
    return PageMap.empty(this.#parts.pages.count);
  }

  async #isThere(map: PageMap): Promise<boolean> {
    for (const pack of map.packs) {
      const places = [join(this.#parts.chunkFolder, packName(pack))];
      if (this.#baseFolder !== null) places.push(join(this.#baseFolder, PACKS_FOLDER, packName(pack)));
      const found = await Promise.any(places.map((file) => access(file))).then(
        () => true,
        () => false,
      );
      if (!found) return false;
    }
    return true;
  }
}
