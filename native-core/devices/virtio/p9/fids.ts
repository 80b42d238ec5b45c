// What a guest refers to by number: places in the tree of shared folders, some of them open.
import { z } from "zod";
import { u32 } from "../../state-schema.ts";
import { type FilePath, type FolderEntry, ShareError } from "./file-share.ts";
import { isPlainPath, startsWith } from "./names.ts";
import type { HeldFile } from "./open-files.ts";
import { FIDS_MAX, LISTED_NAMES_MAX, PATH_MAX_BYTES, SAVED_PATHS_MAX_BYTES } from "./protocol.ts";

/** The tree's root, whose entries are the shared folders, or something below one of them. */
export interface Place {
  /** Name of the shared folder; null: the tree's root. */
  readonly share: string | null;
  readonly path: FilePath;
}

export const fidStateSchema = z.strictObject({
  fid: u32,
  share: z.string().max(256).nullable(),
  path: z.array(z.string().max(256)).max(PATH_MAX_BYTES / 2),
  /** Attached to one shared folder: `..` ends there. */
  confined: z.boolean(),
  uid: u32,
  /** Linux's flags that it is open with; null: it is not. */
  flags: u32.nullable(),
});
type FidState = z.infer<typeof fidStateSchema>;

export class Fid {
  place: Place;
  readonly confined: boolean;
  /** Of the guest's user who attached: everything is shown as theirs. */
  readonly uid: number;
  /** Linux's flags, from its being opened on. */
  flags: number | null = null;
  /** The host's file; undefined while it has to be opened anew (after a restore), and for folders. */
  file: HeldFile | undefined;
  opening: Promise<HeldFile> | undefined;
  /** Entries of a folder that is being read. */
  listing: readonly FolderEntry[] | undefined;
  /** Counts releases: what was opened meanwhile belongs to nobody. */
  life = 0;

  constructor(place: Place, confined: boolean, uid: number) {
    this.place = place;
    this.confined = confined;
    this.uid = uid;
  }

  /** Lets go of everything the host holds for it. */
  release(): Promise<void> {
    const { file } = this;
    this.life++;
    this.file = undefined;
    this.opening = undefined;
    this.listing = undefined;
    return file?.close() ?? Promise.resolve();
  }
}

export class FidTable {
  readonly #fids = new Map<number, Fid>();
  /** Numbers that a request under way is about to fill. */
  readonly #reserved = new Set<number>();
  /** Fids with a listing, oldest first. */
  readonly #listed = new Set<Fid>();
  #listedNames = 0;

  /** Throws ShareError EBADF. */
  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (!fid) throw new ShareError("EBADF");
    return fid;
  }

  /** Keeps a number for a fid to come. Throws ShareError. */
  reserve(number: number): void {
    if (this.#fids.has(number) || this.#reserved.has(number)) throw new ShareError("EINVAL");
    if (this.#fids.size + this.#reserved.size >= FIDS_MAX) throw new ShareError("ENFILE");
    this.#reserved.add(number);
  }

  /** Ends a reservation, with a fid or without. */
  settle(number: number, fid?: Fid): void {
    if (this.#reserved.delete(number) && fid) this.#fids.set(number, fid);
  }

  /** Throws ShareError EBADF. */
  remove(number: number): Fid {
    const fid = this.get(number);
    this.#fids.delete(number);
    this.#dropListing(fid);
    return fid;
  }

  /** Remembers what is being read; where all listings together have become too long, the oldest are forgotten. */
  list(fid: Fid, entries: readonly FolderEntry[]): void {
    this.#dropListing(fid);
    fid.listing = entries;
    this.#listed.add(fid);
    this.#listedNames += entries.length;
    for (const oldest of this.#listed) {
      if (this.#listedNames <= LISTED_NAMES_MAX || oldest === fid) break;
      this.#dropListing(oldest);
    }
  }

  /** Something moved: fids of it and below it go with it. */
  renamed(from: Place, to: Place): void {
    for (const fid of this.#fids.values()) {
      const { share, path } = fid.place;
      if (share === from.share && startsWith(path, from.path)) {
        fid.place = { share: to.share, path: [...to.path, ...path.slice(from.path.length)] };
      }
    }
  }

  /** Host files of places that `isGone`; they are opened anew should the guest use them again. */
  async closeFiles(isGone: (share: string) => boolean): Promise<void> {
    const gone = [...this.#fids.values()].filter(({ place }) => place.share !== null && isGone(place.share));
    for (const fid of gone) this.#dropListing(fid);
    await Promise.all(gone.map((fid) => fid.release()));
  }

  async clear(): Promise<void> {
    const fids = [...this.#fids.values()];
    this.#fids.clear();
    this.#listed.clear();
    this.#listedNames = 0;
    await Promise.all(fids.map((fid) => fid.release()));
  }

  /** Those of a guest that fills its paths on purpose are left out from some point on: its saved state stays one that can be read. */
  save(): FidState[] {
    const saved: FidState[] = [];
    let pathBytes = 0;
    for (const [number, { place, confined, uid, flags }] of this.#fids) {
      pathBytes += place.path.reduce((sum, name) => sum + name.length + 1, 0);
      if (pathBytes > SAVED_PATHS_MAX_BYTES) break;
      saved.push({ fid: number, share: place.share, path: [...place.path], confined, uid, flags });
    }
    return saved;
  }

  /** After `clear`. What no guest could have come by is left out. */
  restore(states: readonly FidState[]): void {
    for (const { fid: number, share, path, confined, uid, flags } of states.slice(0, FIDS_MAX)) {
      if (!isPlainPath(path) || (share === null && path.length > 0)) continue;
      const fid = new Fid({ share, path }, confined, uid);
      fid.flags = flags;
      this.#fids.set(number, fid);
    }
  }

  #dropListing(fid: Fid): void {
    if (!this.#listed.delete(fid)) return;
    this.#listedNames -= fid.listing?.length ?? 0;
    fid.listing = undefined;
  }
}
