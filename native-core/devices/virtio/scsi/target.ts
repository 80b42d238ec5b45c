// What hangs on a virtio-scsi controller: disks and drives for discs, each with its requests under way.
import type { BlockBackend } from "../../block-backend.ts";
import { DiskRequests } from "../../disk-requests.ts";
import type { CdRomState, ScsiCdRom } from "../../scsi/cd-rom.ts";
import { type DiskCommand, diskCommand } from "../../scsi/disk-commands.ts";
import { MAX_BYTES_IN_FLIGHT } from "./protocol.ts";

export interface ScsiPart {
  readonly id: string;
  /** 0 and up; nothing else has it. */
  readonly target: number;
  /** A disk, or a drive. */
  readonly medium: BlockBackend | ScsiCdRom;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

interface TargetServices {
  readonly deliver: (apply: () => void) => void;
  /** Says that host work began, where the driver polls for its end; the result is called then. */
  readonly awaitHost: () => (() => void) | undefined;
  readonly progressed: () => void;
}

const PRODUCT = "SCSI disk";

export class ScsiTarget {
  readonly id: string;
  readonly number: number;
  readonly requests: DiskRequests;
  /** Requests whose answer is outstanding, tasks in SCSI's words. */
  tasks = 0;
  readonly #disk: BlockBackend;
  readonly #cdRom: ScsiCdRom | undefined;

  constructor({ id, target, medium, onError }: ScsiPart, services: TargetServices) {
    this.id = id;
    this.number = target;
    const isDrive = "execute" in medium;
    this.#cdRom = isDrive ? medium : undefined;
    this.#disk = isDrive ? discIn(medium) : medium;
    const backend = this.#disk;
    this.requests = new DiskRequests({ ...services, backend, onError, maxBytesInFlight: MAX_BYTES_IN_FLIGHT });
  }

  /** What a command of at least 16 bytes comes to. */
  execute(command: Uint8Array): DiskCommand {
    if (!this.#cdRom) {
      return diskCommand(command, this.#disk, { product: PRODUCT, serial: this.id, removable: false });
    }
    const reply = this.#cdRom.execute(command);
    return reply.kind === "error" ? { kind: "error", sense: this.#cdRom.sense } : reply;
  }

  /** Nothing submitted so far ends for the driver any more. */
  reset(): void {
    this.tasks = 0;
    this.requests.reset();
    this.#cdRom?.reset();
  }

  /** The drive alone forgets what it was about. */
  resetUnit(): void {
    this.#cdRom?.reset();
  }

  save(): CdRomState | undefined {
    return this.#cdRom?.save();
  }

  restore(state: CdRomState): void {
    this.#cdRom?.restore(state);
  }
}

/** Whatever disc is in the drive when it is asked. */
function discIn(drive: ScsiCdRom): BlockBackend {
  const refuse = (): Promise<void> => Promise.reject(new Error("a disc is read-only"));
  return {
    get sizeBytes() {
      return drive.medium?.sizeBytes ?? 0;
    },
    readOnly: true,
    read: (offset, target) => drive.medium?.read(offset, target) ?? Promise.reject(new Error("the disc is gone")),
    readNow: (offset, target) => drive.medium?.readNow?.(offset, target) ?? false,
    flush: () => Promise.resolve(),
    ...{ write: refuse, discard: refuse, writeZeroes: refuse },
  };
}
