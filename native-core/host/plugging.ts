// Disks and adapters that come and go while the machine runs: between the guest, which has to let go of a device, and what the host has
// behind it.
import { AppError } from "../common/errors.ts";
import { ADAPTER_SLOTS, DISK_SLOTS, targetOf } from "../config/slots.ts";
import { adapterDevice, type DiskPart, diskDevice, type NetworkPart } from "../machine/cards.ts";
import type { Machine } from "../machine/machine.ts";
import type { StartRequest } from "../protocol/engine.ts";
import type { DiskSet } from "./disk-set.ts";

/** Longer than a guest takes that wants to; one that does not is not waited for. */
const REMOVAL_LIMIT_MS = 5000;

interface PluggingParts {
  readonly machine: Machine;
  readonly disks: DiskSet;
  readonly error: (message: string) => void;
  /** A disk that the guest was asked for long ago is free now. */
  readonly detached: (diskId: string) => void;
}

export class Plugging {
  readonly #parts: PluggingParts;
  /** By device name: who waits for it to be gone. */
  readonly #waiting = new Map<string, () => void>();
  /** Disks that the guest was asked for in vain. */
  readonly #late = new Map<string, string>();

  constructor(parts: PluggingParts) {
    this.#parts = parts;
    parts.machine.board.onRemoved = (name) => {
      const waiter = this.#waiting.get(name);
      if (waiter) return waiter();
      const diskId = this.#late.get(name);
      if (diskId !== undefined) void this.#close(diskId).then(() => parts.detached(diskId));
    };
  }

  /** @throws AppError for an image that can't be opened, or a slot that is taken. */
  async attachDisk(disk: StartRequest["disks"][number]): Promise<void> {
    const { machine, disks, error } = this.#parts;
    if (disk.bus === "usb") return this.#attachStick(disk);
    if (disk.bus === "scsi") return this.#attachScsiDisk(disk);
    const slot = this.#freeSlot(disk.slot, DISK_SLOTS, "disk.slot");
    machine.plugDisk(diskPart(disk.id, await disks.add(disk), error), slot);
  }

  /** False: the guest keeps it. `detached` tells should it let go later. */
  async detachDisk(diskId: string, force: boolean): Promise<boolean> {
    const { scsi, usb } = this.#parts.machine;
    if (usb?.unplug(diskId) || scsi?.unplug(diskId)) {
      await this.#close(diskId);
      return true;
    }
    const name = diskDevice(diskId);
    const gone = await this.#remove(name, force);
    if (gone) {
      this.#late.delete(name);
      await this.#close(diskId);
    } else this.#late.set(name, diskId);
    return gone;
  }

  attachAdapter(part: NetworkPart): void {
    this.#parts.machine.plugAdapter(part, this.#freeSlot(part.slot, ADAPTER_SLOTS, "adapters"));
  }

  /** False: the guest keeps it. */
  detachAdapter(part: Pick<NetworkPart, "id" | "model">): Promise<boolean> {
    return this.#remove(adapterDevice(part), false);
  }

  async #attachStick(disk: StartRequest["disks"][number]): Promise<void> {
    const { machine, disks, error } = this.#parts;
    if (!machine.usb?.hasRoom) {
      throw new AppError("UNSUPPORTED", machine.usb ? "all USB ports are taken" : "the machine has no USB", {
        ...{ field: "disk.bus", consequence: "Nothing was changed." },
        remedy: machine.usb
          ? "Take another USB disk out first."
          : "Shut the machine down and give it a USB controller in its settings.",
      });
    }
    machine.usb.plug(diskPart(disk.id, await disks.add(disk), error));
  }

  async #attachScsiDisk(disk: StartRequest["disks"][number]): Promise<void> {
    const { machine, disks, error } = this.#parts;
    const { slot = DISK_SLOTS.first } = disk;
    if (!machine.scsi?.isFree(targetOf(slot))) {
      const reason = machine.scsi ? `SCSI target ${targetOf(slot)} is taken` : "the machine has no SCSI controller";
      throw new AppError("UNSUPPORTED", reason, {
        ...{ field: "disk.bus", consequence: "Nothing was changed." },
        remedy: "Shut the machine down first: it gets the controller with its first SCSI disk or drive.",
      });
    }
    machine.plugScsiDisk(diskPart(disk.id, await disks.add(disk), error), slot);
  }

  async #close(diskId: string): Promise<void> {
    await this.#parts.disks.remove(diskId).catch((cause: unknown) => {
      this.#parts.error(`disk ${diskId}: ${cause instanceof Error ? cause.message : String(cause)}`);
    });
  }

  async #remove(name: string, force: boolean): Promise<boolean> {
    const { machine } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), REMOVAL_LIMIT_MS);
    this.#waiting.set(name, () => resolve(true));
    try {
      if (!machine.unplug(name, force)) {
        throw new AppError("UNSUPPORTED", `${name} can't be taken out while the machine runs`, {
          consequence: "Nothing was changed.",
          remedy: "Only virtio, SCSI and USB disks and network adapters can; shut the machine down for others.",
        });
      }
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(name);
    }
  }

  #freeSlot(
    slot: number | undefined,
    { first, count }: typeof DISK_SLOTS | typeof ADAPTER_SLOTS,
    field: string,
  ): number {
    if (slot !== undefined && slot >= first && slot < first + count && this.#parts.machine.board.isFree(slot))
      return slot;
    throw new AppError("INVALID_ARGUMENT", `slot ${slot} is not free`, { field, consequence: "Nothing was changed." });
  }
}

function diskPart(id: string, backend: DiskPart["backend"], report: (message: string) => void): DiskPart {
  const onError = (kind: string, cause: unknown): void =>
    report(`disk ${id}: ${kind} failed: ${cause instanceof Error ? cause.message : String(cause)}`);
  return { id, backend, onError };
}
