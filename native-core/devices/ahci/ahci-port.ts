// One port of the AHCI adapter with its disk: command list in guest memory, one command after another, results as FIS in guest memory.
//
// A command that was under way when the state was saved is simply begun again: its slot is still marked, and nothing was reported.
import { z } from "zod";
import {
  type AtaPlan,
  type DiskSettings,
  initialDiskSettings,
  planDiskCommand,
  resetTaskFile,
  type TaskFile,
} from "../ata/disk-commands.ts";
import { ATA_ERROR, ATA_STATUS } from "../ata/registers.ts";
import { trimRanges } from "../ata/trim.ts";
import type { BlockBackend } from "../block-backend.ts";
import type { GuestMemory } from "../device.ts";
import { u8, u32 } from "../state-schema.ts";
import {
  COMMAND_HEADER_BYTES,
  DET_RESET,
  DISK_SIGNATURE,
  FIS,
  HEADER,
  LINK_UP,
  PORT,
  PORT_CMD,
  PORT_IS,
  PRD_BYTES,
  PRD_LENGTH_MASK,
  PRD_OFFSET,
  RECEIVED_D2H,
  SCTL_DET,
} from "./registers.ts";

export interface AhciDiskParts {
  readonly serial: string;
  readonly disk: BlockBackend;
  readonly deliver: (apply: () => void) => void;
  readonly awaitHost?: () => () => void;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

export const portStateSchema = z.strictObject({
  registers: z.record(z.enum(["clb", "clbu", "fb", "fbu", "is", "ie", "cmd", "sctl", "serr", "ci", "tfd"]), u32),
  settings: z.strictObject({
    multiple: u8,
    writeCache: z.boolean(),
    ultraDmaMode: u8,
    heads: z.int().min(1).max(16),
    sectorsPerTrack: z.int().min(1).max(255),
  }),
});
export type PortState = z.infer<typeof portStateSchema>;

const READY = ATA_STATUS.READY | ATA_STATUS.SEEK_DONE;
const WRITABLE_CMD = PORT_CMD.START | PORT_CMD.SPIN_UP | PORT_CMD.POWER_ON | PORT_CMD.FIS_RECEIVE;
/** What a guest may ask for at once is bounded by the largest ATA command, and by this. */
const TRANSFER_MAX_BYTES = 32 << 20;

interface Command {
  readonly slot: number;
  readonly header: number;
  readonly table: number;
  readonly prdCount: number;
  readonly task: TaskFile;
}

function initialRegisters() {
  return { clb: 0, clbu: 0, fb: 0, fbu: 0, is: 0, ie: 0, cmd: 6, sctl: 0, serr: 0, ci: 0, tfd: READY | 0x100 };
}

export class AhciPort {
  readonly #parts: AhciDiskParts;
  readonly #memory: GuestMemory;
  readonly #changed: () => void;
  #registers = initialRegisters();
  #settings: DiskSettings = initialDiskSettings();
  #busy = false;
  #epoch = 0;
  /** One command after the other, also over a reset: a write of before never lands later. */
  #work: Promise<unknown> = Promise.resolve();

  /** `changed`: the port's interrupt may have another level. */
  constructor(parts: AhciDiskParts, memory: GuestMemory, changed: () => void) {
    this.#parts = parts;
    this.#memory = memory;
    this.#changed = changed;
  }

  get interrupt(): boolean {
    return (this.#registers.is & this.#registers.ie) !== 0;
  }

  reset(): void {
    this.#epoch++;
    this.#busy = false;
    this.#registers = initialRegisters();
    this.#settings = initialDiskSettings();
  }

  read(offset: number): number {
    const r = this.#registers;
    switch (offset) {
      case PORT.CLB:
        return r.clb;
      case PORT.CLBU:
        return r.clbu;
      case PORT.FB:
        return r.fb;
      case PORT.FBU:
        return r.fbu;
      case PORT.IS:
        return r.is;
      case PORT.IE:
        return r.ie;
      case PORT.CMD:
        return (
          r.cmd |
          (r.cmd & PORT_CMD.START ? PORT_CMD.LIST_RUNNING : 0) |
          (r.cmd & PORT_CMD.FIS_RECEIVE ? PORT_CMD.FIS_RUNNING : 0)
        );
      case PORT.TFD:
        return r.tfd;
      case PORT.SIG:
        return DISK_SIGNATURE;
      case PORT.SSTS:
        return LINK_UP;
      case PORT.SCTL:
        return r.sctl;
      case PORT.SERR:
        return r.serr;
      case PORT.CI:
        return r.ci;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    const r = this.#registers;
    switch (offset) {
      case PORT.CLB:
        r.clb = (value & ~0x3ff) >>> 0;
        break;
      case PORT.CLBU:
        r.clbu = value;
        break;
      case PORT.FB:
        r.fb = (value & ~0xff) >>> 0;
        break;
      case PORT.FBU:
        r.fbu = value;
        break;
      case PORT.IS:
        r.is = (r.is & ~value) >>> 0;
        break;
      case PORT.IE:
        r.ie = value;
        break;
      case PORT.CMD:
        this.#writeCommand(value);
        break;
      case PORT.SCTL:
        if ((r.sctl & SCTL_DET) === DET_RESET && (value & SCTL_DET) === 0) this.#portReset();
        r.sctl = value & 0xfff;
        break;
      case PORT.SERR:
        r.serr = (r.serr & ~value) >>> 0;
        break;
      case PORT.CI:
        if (r.cmd & PORT_CMD.START) r.ci = (r.ci | value) >>> 0;
        this.#next();
        break;
    }
    this.#changed();
  }

  save(): PortState {
    return { registers: { ...this.#registers }, settings: { ...this.#settings } };
  }

  restore(state: PortState): void {
    this.#epoch++;
    this.#busy = false;
    this.#registers = { ...initialRegisters(), ...state.registers };
    this.#settings = { ...state.settings };
    this.#next();
  }

  #writeCommand(value: number): void {
    const r = this.#registers;
    r.cmd = value & WRITABLE_CMD;
    if (r.cmd & PORT_CMD.START) this.#next();
    else {
      // Software takes back what it had issued.
      this.#epoch++;
      this.#busy = false;
      r.ci = 0;
      r.tfd &= ~(ATA_STATUS.BUSY | ATA_STATUS.ERROR);
    }
  }

  #portReset(): void {
    const r = this.#registers;
    this.#epoch++;
    this.#busy = false;
    this.#settings = initialDiskSettings();
    r.ci = 0;
    r.tfd = READY | 0x100;
    this.#postResult(resetTaskFile(false));
  }

  /** Begins the lowest slot that waits, unless a command is under way or has failed. */
  #next(): void {
    const r = this.#registers;
    if (this.#busy || r.ci === 0 || !(r.cmd & PORT_CMD.START) || r.tfd & ATA_STATUS.ERROR) return;
    const slot = 31 - Math.clz32(r.ci & -r.ci);
    const command = this.#fetch(slot);
    this.#busy = true;
    r.tfd = READY | ATA_STATUS.BUSY;
    const epoch = this.#epoch;
    const plan: AtaPlan = command ? this.#plan(command.task) : { kind: "abort" };
    const arrived = this.#parts.awaitHost?.();
    const settle = (apply: () => void): void =>
      this.#parts.deliver(() => {
        arrived?.();
        if (epoch !== this.#epoch) return;
        apply();
        this.#changed();
      });
    this.#work = this.#work
      // What was taken back before it began must not read guest memory that is somebody else's by now.
      .then(() => (epoch === this.#epoch ? this.#perform(plan, command) : undefined))
      .then(
        (data) => settle(() => this.#finish(slot, plan, command, data)),
        (error: unknown) => {
          this.#parts.onError?.(plan.kind, error);
          settle(() => this.#fail(ATA_ERROR.UNCORRECTABLE));
        },
      );
  }

  #fetch(slot: number): Command | undefined {
    const r = this.#registers;
    const header = r.clbu * 2 ** 32 + r.clb + slot * COMMAND_HEADER_BYTES;
    const flags = this.#memory.readU32(header);
    const table = Number(this.#memory.readU64(header + HEADER.TABLE) & ~0x7fn);
    const fis = new Uint8Array(FIS.BYTES);
    this.#memory.read(table, fis);
    if (fis[0] !== FIS.HOST_TO_DEVICE || !((fis[1] ?? 0) & FIS.COMMAND)) return undefined;
    const pair = (low: number, high: number): number => (fis[low] ?? 0) | ((fis[high] ?? 0) << 8);
    const task = {
      features: pair(3, 11),
      count: pair(12, 13),
      lbaLow: pair(4, 8),
      lbaMid: pair(5, 9),
      lbaHigh: pair(6, 10),
      device: fis[7] ?? 0,
      command: fis[2] ?? 0,
    };
    return { slot, header, table, prdCount: flags >>> HEADER.PRD_COUNT_SHIFT, task };
  }

  #plan(task: TaskFile & { command?: number }): AtaPlan {
    const { disk, serial } = this.#parts;
    const { sizeBytes, readOnly } = disk;
    const description = { sizeBytes, readOnly, serial, model: "TERRARIUM DISK", queueDepth: 0 };
    return planDiskCommand(task.command ?? 0, task, this.#settings, description);
  }

  /** Yields what goes to the guest. */
  async #perform(plan: AtaPlan, command: Command | undefined): Promise<Uint8Array | undefined> {
    const { disk } = this.#parts;
    switch (plan.kind) {
      case "reply":
        return plan.data;
      case "read": {
        const data = new Uint8Array(plan.length);
        await disk.read(plan.offset, data);
        return data;
      }
      case "write": {
        const data = new Uint8Array(Math.min(plan.length, TRANSFER_MAX_BYTES));
        if (!command || this.#move(command, data, false) < plan.length)
          throw new Error("the list of regions is too short");
        await disk.write(plan.offset, data);
        if (plan.durable) await disk.flush();
        return undefined;
      }
      case "trim": {
        const data = new Uint8Array(Math.min(plan.length, TRANSFER_MAX_BYTES));
        if (command) this.#move(command, data, false);
        for (const { offset, length } of trimRanges(data, disk.sizeBytes)) await disk.discard(offset, length);
        return undefined;
      }
      case "flush":
        await disk.flush();
        return undefined;
      default:
        return undefined;
    }
  }

  #finish(slot: number, plan: AtaPlan, command: Command | undefined, data: Uint8Array | undefined): void {
    const r = this.#registers;
    if (plan.kind === "abort" || plan.kind === "packet") return this.#fail(ATA_ERROR.ABORTED);
    if (plan.kind === "notFound") return this.#fail(ATA_ERROR.ID_NOT_FOUND);
    if (command) {
      const moved = data ? this.#move(command, data, true) : "length" in plan ? plan.length : 0;
      this.#memory.writeU32(command.header + HEADER.MOVED, moved);
    }
    this.#busy = false;
    r.tfd = READY;
    r.ci = (r.ci & ~(1 << slot)) >>> 0;
    this.#postResult(command?.task ?? resetTaskFile(false));
    this.#next();
  }

  /** The slot stays marked, and nothing else begins until software has started the port anew. */
  #fail(error: number): void {
    this.#busy = false;
    this.#registers.tfd = READY | ATA_STATUS.ERROR | (error << 8);
    this.#registers.is = (this.#registers.is | PORT_IS.TASK_FILE_ERROR) >>> 0;
    this.#postResult(resetTaskFile(false));
  }

  /** Copies between `data` and the command's regions; yields how many bytes they have room for. */
  #move(command: Command, data: Uint8Array, toGuest: boolean): number {
    let done = 0;
    for (let index = 0; index < command.prdCount && done < data.length; index++) {
      const at = command.table + PRD_OFFSET + index * PRD_BYTES;
      const address = Number(this.#memory.readU64(at));
      const length = (this.#memory.readU32(at + 12) & PRD_LENGTH_MASK) + 1;
      const part = data.subarray(done, done + length);
      if (toGuest) this.#memory.write(address, part);
      else this.#memory.read(address, part);
      done += part.length;
    }
    return done;
  }

  /** The device-to-host FIS, and its interrupt. */
  #postResult(task: TaskFile): void {
    const r = this.#registers;
    if (r.cmd & PORT_CMD.FIS_RECEIVE) {
      const fis = new Uint8Array(FIS.BYTES);
      fis.set([FIS.DEVICE_TO_HOST, 0x40, r.tfd & 0xff, (r.tfd >> 8) & 0xff]);
      fis.set([task.lbaLow & 0xff, task.lbaMid & 0xff, task.lbaHigh & 0xff, task.device], 4);
      fis.set([task.lbaLow >>> 8, task.lbaMid >>> 8, task.lbaHigh >>> 8], 8);
      fis.set([task.count & 0xff, task.count >>> 8], 12);
      this.#memory.write(r.fbu * 2 ** 32 + r.fb + RECEIVED_D2H, fis);
    }
    r.is = (r.is | PORT_IS.DEVICE_TO_HOST) >>> 0;
  }
}
