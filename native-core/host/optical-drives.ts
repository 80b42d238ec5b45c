// The drives for discs of a running machine: opens ISO images and changes them under a guest that goes on running. And the floppy disk,
// which stays in its drive.
import { AppError } from "../common/errors.ts";
import type { BlockBackend } from "../devices/block-backend.ts";
import { floppyGeometry } from "../devices/floppy/geometry.ts";
import { ScsiCdRom } from "../devices/scsi/cd-rom.ts";
import { RawImage } from "../media/raw-image.ts";
import type { EngineArgument, StartRequest } from "../protocol/engine.ts";
import { canonical } from "./media-host.ts";
import { NodeImageFile } from "./node-image-file.ts";

/** An ISO image, read-only, that can be closed when the guest's last request to it has ended. */
class Disc implements BlockBackend {
  readonly readOnly = true;
  readonly sizeBytes: number;
  readonly #image: RawImage;
  readonly #underWay = new Set<Promise<void>>();

  private constructor(image: RawImage) {
    this.#image = image;
    this.sizeBytes = image.sizeBytes;
  }

  /** Throws AppError. */
  static async open(file: string): Promise<Disc> {
    const opened = await NodeImageFile.open(await canonical(file), { readOnly: true });
    try {
      return new Disc(await RawImage.open(opened));
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    const work = this.#image.read(offset, target);
    this.#underWay.add(work);
    const done = () => void this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  write(): Promise<void> {
    return Promise.reject(new Error("a disc is read-only"));
  }

  async flush(): Promise<void> {}
  async discard(): Promise<void> {}
  async writeZeroes(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
    await this.#image.close();
  }
}

interface Drive {
  readonly id: string;
  readonly cdRom: ScsiCdRom;
  disc: Disc | undefined;
}

export class OpticalDrives {
  readonly drives: readonly Drive[];
  /** Write-protected. */
  readonly floppy: BlockBackend | undefined;
  readonly #discs: () => (Disc | undefined)[];

  private constructor(drives: readonly Drive[], floppy: Disc | undefined) {
    this.drives = drives;
    this.floppy = floppy;
    this.#discs = () => [...drives.map(({ disc }) => disc), floppy];
  }

  /** Throws AppError naming drive and file; nothing stays open then. */
  static async open(
    requests: NonNullable<StartRequest["opticalDrives"]>,
    floppyFile: string | null,
    onEjected: (driveId: string) => void,
  ): Promise<OpticalDrives> {
    const drives: Drive[] = [];
    try {
      for (const [index, { id, file }] of requests.entries()) {
        const disc = file === null ? undefined : await openFor(file, `opticalDrives.${index}.file`);
        const drive: Drive = { id, cdRom: new ScsiCdRom(disc), disc };
        drive.cdRom.onEjected = () => {
          void drive.disc?.close();
          drive.disc = undefined;
          drive.cdRom.insert(undefined);
          onEjected(id);
        };
        drives.push(drive);
      }
      return new OpticalDrives(drives, floppyFile === null ? undefined : await openFloppy(floppyFile));
    } catch (error) {
      await Promise.allSettled(drives.flatMap(({ disc }) => (disc ? [disc.close()] : [])));
      throw error;
    }
  }

  /** Between two slices of the machine. False: the guest keeps the disc locked, and was asked to let it go. */
  async change({ driveId, file, force }: EngineArgument<"changeDisc">): Promise<boolean> {
    const drive = this.drives.find(({ id }) => id === driveId);
    if (!drive) {
      throw new AppError("NOT_FOUND", `the machine has no optical drive ${driveId}`, {
        field: "driveId",
        consequence: "Nothing was changed.",
        remedy: "Add a drive in the storage settings while the machine is off.",
      });
    }
    const disc = file === null ? undefined : await openFor(file, "file");
    if (drive.disc && drive.cdRom.locked && !force) {
      drive.cdRom.requestEject();
      await disc?.close();
      return false;
    }
    const before = drive.disc;
    drive.disc = disc;
    drive.cdRom.insert(disc);
    await before?.close();
    return true;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#discs().map(async (disc) => disc?.close()));
  }
}

async function openFloppy(file: string): Promise<Disc> {
  const field = "floppy.file";
  const disc = await openFor(file, field);
  if (floppyGeometry(disc.sizeBytes)) return disc;
  await disc.close();
  throw new AppError("INVALID_FILE", `${file} is not the image of a floppy disk`, {
    ...{ file, field, consequence: "The machine was not started." },
    remedy: "Images have 360, 720, 1200, 1440 or 2880 KiB: 1440 KiB are 1474560 bytes.",
  });
}

async function openFor(file: string, field: string): Promise<Disc> {
  try {
    return await Disc.open(file);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, error.message, {
      file,
      field,
      consequence: "The disc was not inserted.",
      remedy: "Choose a readable ISO image.",
      ...error.details,
    });
  }
}
