// One drive on an IDE channel: task file, commands, and the phases of a data transfer (ATA8-ACS chapter 5; SFF-8020i chapter 5).
//
//   to host:   [medium: waiting] -> data request + interrupt -> host takes a block -> ... -> ready (packet: + interrupt)
//   to device: data request -> host sends a block -> [medium: waiting] -> interrupt, data request -> ... -> ready + interrupt
//   DMA:       the same with whole chunks, moved when the bus master is started, and one interrupt at the end
import { z } from "zod";
import {
  type AtaPlan,
  type DiskSettings,
  initialDiskSettings,
  planDiskCommand,
  resetTaskFile,
  type TaskFile,
} from "../ata/disk-commands.ts";
import { identifyPacketDrive } from "../ata/identify.ts";
import { ATA_COMMAND, ATA_ERROR, ATA_STATUS, ATAPI_REASON, PACKET_BYTES } from "../ata/registers.ts";
import { trimRanges } from "../ata/trim.ts";
import type { BlockBackend } from "../block-backend.ts";
import { cdRomStateSchema, type ScsiCdRom } from "../scsi/cd-rom.ts";
import { u8, u16 } from "../state-schema.ts";
import { CHUNK_BYTES, newTransfer, type Transfer, transferSchema } from "./transfer.ts";

export interface IdeDriveParts {
  /** At most 20 ASCII characters. */
  readonly serial: string;
  /** A disk that stays, or a drive for discs that come and go. */
  readonly disk?: BlockBackend;
  readonly cdRom?: ScsiCdRom;
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  /** Told when the medium starts to work; the result is called when it has. */
  readonly awaitHost?: () => () => void;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

/** What the channel does for its drives. */
export interface DriveWires {
  interrupt(): void;
  /** Moves a chunk; undefined while the host has not started the bus master, false if its table is too short. */
  dma(bytes: Uint8Array, toMemory: boolean): boolean | undefined;
  dmaFinished(failed: boolean): void;
}

const taskFileSchema = z.strictObject({
  features: u16,
  count: u16,
  lbaLow: u16,
  lbaMid: u16,
  lbaHigh: u16,
  device: u8,
});

export const driveStateSchema = z.strictObject({
  task: taskFileSchema,
  status: u8,
  error: u8,
  settings: z.strictObject({
    multiple: u8,
    writeCache: z.boolean(),
    ultraDmaMode: u8,
    heads: z.int().min(1).max(16),
    sectorsPerTrack: z.int().min(1).max(255),
  }),
  transfer: transferSchema.nullable(),
  cdRom: cdRomStateSchema.nullable(),
});
export type DriveState = z.infer<typeof driveStateSchema>;

const PACKET_LIMIT_MAX = 0xfffe;

export class IdeDrive {
  task: TaskFile;
  error = 0;
  #status = 0;
  #settings: DiskSettings = initialDiskSettings();
  #transfer: Transfer | null = null;
  readonly #parts: IdeDriveParts;
  readonly #wires: DriveWires;
  /** Results that belong to an earlier life of the drive are dropped. */
  #epoch = 0;
  /** Work on the medium, one after the other: what was under way at a reset ends before anything new begins. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(parts: IdeDriveParts, wires: DriveWires) {
    this.#parts = parts;
    this.#wires = wires;
    this.task = resetTaskFile(parts.cdRom !== undefined);
    this.reset();
  }

  get status(): number {
    return this.#status;
  }

  /** Power-on, hard reset, soft reset. */
  reset(): void {
    const { cdRom } = this.#parts;
    this.#epoch++;
    this.#transfer = null;
    this.#settings = initialDiskSettings();
    this.task = resetTaskFile(cdRom !== undefined);
    // Diagnostics passed.
    this.error = 1;
    this.#status = cdRom ? 0 : ATA_STATUS.READY | ATA_STATUS.SEEK_DONE;
    cdRom?.reset();
  }

  command(command: number): void {
    if (this.#status & (ATA_STATUS.BUSY | ATA_STATUS.DATA_REQUEST) && command !== ATA_COMMAND.DEVICE_RESET) return;
    this.error = 0;
    this.#status = ATA_STATUS.READY | ATA_STATUS.SEEK_DONE;
    this.#perform(this.#plan(command));
  }

  /** The next 1, 2 or 4 bytes through the data register. */
  readData(size: number): number {
    const transfer = this.#transfer;
    if (!transfer || !this.#toHost || !(this.#status & ATA_STATUS.DATA_REQUEST)) return 0;
    let value = 0;
    for (let byte = 0; byte < size && transfer.position < transfer.blockEnd; byte++) {
      value |= (transfer.buffer[transfer.position++] ?? 0) << (8 * byte);
    }
    if (transfer.position >= transfer.blockEnd) this.#blockTaken(transfer);
    return value >>> 0;
  }

  writeData(size: number, value: number): void {
    const transfer = this.#transfer;
    if (!transfer || this.#toHost || !(this.#status & ATA_STATUS.DATA_REQUEST)) return;
    for (let byte = 0; byte < size && transfer.position < transfer.blockEnd; byte++) {
      transfer.buffer[transfer.position++] = (value >>> (8 * byte)) & 0xff;
    }
    if (transfer.position < transfer.blockEnd) return;
    this.#status &= ~ATA_STATUS.DATA_REQUEST;
    if (transfer.action === "packet") this.#packetReceived(transfer.buffer);
    else this.#engage(transfer);
  }

  /** The host has started the bus master. */
  dmaReady(): void {
    const transfer = this.#transfer;
    if (transfer?.dma && transfer.action !== "packet" && !transfer.waiting) this.#moveByDma(transfer);
  }

  save(): DriveState {
    const transfer = this.#transfer;
    return {
      task: { ...this.task },
      status: this.#status,
      error: this.error,
      settings: { ...this.#settings },
      transfer: transfer && { ...transfer, buffer: transfer.buffer.slice() },
      cdRom: this.#parts.cdRom?.save() ?? null,
    };
  }

  restore(state: DriveState): void {
    this.#epoch++;
    this.task = { ...state.task };
    this.#status = state.status;
    this.error = state.error;
    this.#settings = { ...state.settings };
    if (state.cdRom) this.#parts.cdRom?.restore(state.cdRom);
    this.#transfer = null;
    const { transfer } = state;
    if (!transfer) return;
    const { length } = transfer.buffer;
    if (transfer.position > length || transfer.blockEnd > length) {
      // Not a state this drive can have been in.
      this.#fail(ATA_ERROR.ABORTED);
      return;
    }
    this.#transfer = { ...transfer, buffer: transfer.buffer.slice(), waiting: false };
    if (transfer.waiting) this.#engage(this.#transfer);
  }

  get #toHost(): boolean {
    return this.#transfer?.action === "reply" || this.#transfer?.action === "read";
  }

  #plan(command: number): AtaPlan {
    const { disk, cdRom, serial } = this.#parts;
    if (disk) {
      const { sizeBytes, readOnly } = disk;
      const model = "TERRARIUM DISK";
      return planDiskCommand(command, this.task, this.#settings, { sizeBytes, readOnly, model, serial, queueDepth: 0 });
    }
    if (!cdRom) return { kind: "abort" };
    switch (command) {
      case ATA_COMMAND.PACKET:
        return { kind: "packet", dma: (this.task.features & 1) !== 0 };
      case ATA_COMMAND.IDENTIFY_PACKET:
        return { kind: "reply", data: identifyPacketDrive({ model: "TERRARIUM DVD-ROM", serial }, false) };
      case ATA_COMMAND.DEVICE_RESET:
        return { kind: "reset" };
      case ATA_COMMAND.EXECUTE_DIAGNOSTIC:
        return { kind: "diagnose" };
      case ATA_COMMAND.IDENTIFY:
        // By the signature in the registers hosts see that they have to ask otherwise.
        this.task = resetTaskFile(true, this.task.device);
        return { kind: "abort" };
      case ATA_COMMAND.SET_FEATURES:
      case ATA_COMMAND.STANDBY_IMMEDIATE:
      case ATA_COMMAND.IDLE_IMMEDIATE:
      case ATA_COMMAND.CHECK_POWER:
        return { kind: "done" };
      default:
        return { kind: "abort" };
    }
  }

  #perform(plan: AtaPlan): void {
    switch (plan.kind) {
      case "reply":
        this.#start(newTransfer("reply", { buffer: plan.data.slice(), blockBytes: plan.data.length }));
        break;
      case "read": {
        const { offset, length, dma, blockBytes } = plan;
        this.#start(newTransfer("read", { offset, remaining: length, dma, blockBytes }));
        break;
      }
      case "write": {
        const { offset, length, dma, blockBytes, durable = false } = plan;
        this.#start(newTransfer("write", { offset, remaining: length, dma, blockBytes, durable }));
        break;
      }
      case "trim":
        this.#start(newTransfer("trim", { remaining: plan.length, dma: true, blockBytes: 512 }));
        break;
      case "flush":
        this.#start(newTransfer("flush", {}));
        break;
      case "packet":
        this.#transfer = newTransfer("packet", { dma: plan.dma, buffer: new Uint8Array(PACKET_BYTES) });
        this.#transfer.blockEnd = PACKET_BYTES;
        this.task.count = ATAPI_REASON.COMMAND;
        this.#status |= ATA_STATUS.DATA_REQUEST;
        break;
      case "done":
        this.#wires.interrupt();
        break;
      case "diagnose":
        this.task = resetTaskFile(this.#parts.cdRom !== undefined);
        this.error = 1;
        this.#wires.interrupt();
        break;
      case "reset":
        this.reset();
        break;
      case "abort":
        this.#fail(ATA_ERROR.ABORTED);
        break;
      case "notFound":
        this.#fail(ATA_ERROR.ID_NOT_FOUND);
        break;
    }
  }

  #start(transfer: Transfer): void {
    this.#transfer = transfer;
    switch (transfer.action) {
      case "reply":
        if (transfer.dma) this.#moveByDma(transfer);
        else this.#offerBlock(transfer);
        break;
      case "read":
      case "flush":
        this.#engage(transfer);
        break;
      default:
        this.#expectChunk(transfer);
        break;
    }
  }

  /** Room for what the host sends next. */
  #expectChunk(transfer: Transfer): void {
    const length = Math.min(transfer.remaining, transfer.dma ? CHUNK_BYTES : transfer.blockBytes);
    transfer.buffer = new Uint8Array(length);
    transfer.remaining -= length;
    transfer.position = 0;
    transfer.blockEnd = length;
    this.#status &= ~ATA_STATUS.BUSY;
    this.#status |= ATA_STATUS.DATA_REQUEST;
    if (transfer.dma) this.#moveByDma(transfer);
  }

  /** Lets the host take the next block of the buffer. */
  #offerBlock(transfer: Transfer): void {
    const left = transfer.buffer.length - transfer.position;
    const length = Math.min(transfer.blockBytes, left);
    transfer.blockEnd = transfer.position + length;
    this.#status &= ~ATA_STATUS.BUSY;
    this.#status |= ATA_STATUS.DATA_REQUEST;
    if (transfer.isPacket) {
      this.task.count = ATAPI_REASON.TO_HOST;
      this.task.lbaMid = length & 0xff;
      this.task.lbaHigh = length >>> 8;
    }
    this.#wires.interrupt();
  }

  #blockTaken(transfer: Transfer): void {
    this.#status &= ~ATA_STATUS.DATA_REQUEST;
    if (transfer.position < transfer.buffer.length) this.#offerBlock(transfer);
    else if (transfer.remaining > 0) this.#engage(transfer);
    else if (transfer.isPacket) this.#finish();
    // An ATA read ends with its last block, without a further interrupt.
    else this.#transfer = null;
  }

  #moveByDma(transfer: Transfer): void {
    const moved = this.#wires.dma(transfer.buffer, this.#toHost);
    if (moved === undefined) return;
    if (!moved) {
      this.#wires.dmaFinished(true);
      this.#fail(ATA_ERROR.ABORTED);
      return;
    }
    this.#status &= ~ATA_STATUS.DATA_REQUEST;
    if (!this.#toHost || transfer.remaining > 0) this.#engage(transfer);
    else {
      this.#wires.dmaFinished(false);
      this.#finish();
    }
  }

  /** Has the medium do the next piece. */
  #engage(transfer: Transfer): void {
    transfer.waiting = true;
    this.#status |= ATA_STATUS.BUSY;
    const epoch = this.#epoch;
    const arrived = this.#parts.awaitHost?.();
    const settle = (apply: () => void): void =>
      this.#parts.deliver(() => {
        arrived?.();
        if (epoch !== this.#epoch || this.#transfer !== transfer) return;
        transfer.waiting = false;
        apply();
      });
    this.#work = this.#work
      .then(() => this.#workOnMedium(transfer))
      .then(
        (chunk) => settle(() => this.#worked(transfer, chunk)),
        (error: unknown) => {
          this.#parts.onError?.(transfer.action, error);
          settle(() => this.#mediumFailed(transfer));
        },
      );
  }

  async #workOnMedium(transfer: Transfer): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { disk, cdRom } = this.#parts;
    const medium = disk ?? cdRom?.medium;
    if (!medium) throw new Error("there is no disc");
    const { action, offset, buffer, durable } = transfer;
    switch (action) {
      case "read": {
        const chunk = new Uint8Array(Math.min(transfer.remaining, CHUNK_BYTES));
        if (offset + chunk.length > medium.sizeBytes) throw new Error("the medium ends before");
        await medium.read(offset, chunk);
        return chunk;
      }
      case "write":
        if (offset + buffer.length > medium.sizeBytes) throw new Error("the medium ends before");
        await medium.write(offset, buffer);
        break;
      case "trim":
        for (const range of trimRanges(buffer, medium.sizeBytes)) await medium.discard(range.offset, range.length);
        break;
    }
    if (action === "flush" || durable) await medium.flush();
    return undefined;
  }

  #worked(transfer: Transfer, chunk: Uint8Array<ArrayBuffer> | undefined): void {
    this.#status &= ~ATA_STATUS.BUSY;
    if (chunk) {
      transfer.offset += chunk.length;
      transfer.remaining -= chunk.length;
      transfer.buffer = chunk;
      transfer.position = 0;
      transfer.blockEnd = 0;
      if (transfer.dma) {
        this.#status |= ATA_STATUS.DATA_REQUEST;
        this.#moveByDma(transfer);
      } else this.#offerBlock(transfer);
      return;
    }
    transfer.offset += transfer.buffer.length;
    if (transfer.remaining > 0) {
      this.#expectChunk(transfer);
      if (!transfer.dma) this.#wires.interrupt();
      return;
    }
    if (transfer.dma) this.#wires.dmaFinished(false);
    this.#finish();
  }

  #mediumFailed(transfer: Transfer): void {
    if (transfer.dma) this.#wires.dmaFinished(false);
    if (!transfer.isPacket) return this.#fail(ATA_ERROR.UNCORRECTABLE);
    this.#parts.cdRom?.readFailed();
    this.#packetFailed();
  }

  #finish(): void {
    const isPacket = this.#transfer?.isPacket ?? false;
    this.#transfer = null;
    this.#status = ATA_STATUS.READY | ATA_STATUS.SEEK_DONE;
    if (isPacket) this.task.count = ATAPI_REASON.COMMAND | ATAPI_REASON.TO_HOST;
    this.#wires.interrupt();
  }

  #fail(error: number): void {
    this.#transfer = null;
    this.error = error;
    this.#status = ATA_STATUS.READY | ATA_STATUS.SEEK_DONE | ATA_STATUS.ERROR;
    this.#wires.interrupt();
  }

  #packetReceived(packet: Uint8Array): void {
    const { cdRom } = this.#parts;
    const dma = this.#transfer?.dma ?? false;
    const limit = (this.task.lbaMid & 0xff) | ((this.task.lbaHigh & 0xff) << 8);
    // A block is even, unless it is the last one.
    const blockBytes = limit === 0 || limit === 0xffff ? PACKET_LIMIT_MAX : Math.max(2, limit & ~1);
    const reply = cdRom?.execute(packet) ?? { kind: "error" };
    switch (reply.kind) {
      case "data":
        this.#start(newTransfer("reply", { isPacket: true, dma, blockBytes, buffer: reply.data.slice() }));
        break;
      case "read":
        this.#start(
          newTransfer("read", { isPacket: true, dma, blockBytes, offset: reply.offset, remaining: reply.length }),
        );
        break;
      case "ok":
        this.#transfer = newTransfer("reply", { isPacket: true });
        this.#finish();
        break;
      case "error":
        this.#packetFailed();
        break;
    }
  }

  /** The sense key shows in the error register. */
  #packetFailed(): void {
    const key = this.#parts.cdRom?.sense[0] ?? 0;
    this.#fail((key << 4) | ATA_ERROR.ABORTED);
    this.task.count = ATAPI_REASON.COMMAND | ATAPI_REASON.TO_HOST;
  }
}
