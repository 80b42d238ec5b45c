// The floppy disk controller (Intel 82077AA) with drive A:, data by DMA channel 2, interrupt 6. No time passes for motors and heads.
//
//   3F2h digital output   3F4h main status / data rate   3F5h data   3F7h digital input / configuration
//
//   command bytes --> execution (DMA) --> result bytes        main status: RQM, DIO (towards the processor), BUSY
//
// A command that was under way when the state was saved is part of it, and begins again after restore.
import { z } from "zod";
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../block-backend.ts";
import { byteWide } from "../bus.ts";
import type { Device, InterruptLine, IoBus } from "../device.ts";
import type { DmaChannel } from "../dma-channel.ts";
import { flag, u8 } from "../state-schema.ts";
import { type FloppyGeometry, floppyGeometry } from "./geometry.ts";

export const FLOPPY_IRQ = 6;
export const FLOPPY_DMA_CHANNEL = 2;
const PORT = 0x3f0;
/** 3F6h in between is the hard disk controller's. */
const PORT_INPUT = 0x3f7;
const REGISTER = { OUTPUT: 2, TAPE: 3, STATUS: 4, DATA: 5 } as const;
const OUTPUT = { DRIVE: 3, NOT_RESET: 4, DMA: 8, MOTORS: 0xf0 } as const;
const STATUS = { READY: 0x80, TO_PROCESSOR: 0x40, BUSY: 0x10 } as const;
const DISK_CHANGED = 0x80;

const COMMAND = {
  SPECIFY: 0x03,
  SENSE_DRIVE: 0x04,
  WRITE: 0x05,
  READ: 0x06,
  RECALIBRATE: 0x07,
  SENSE_INTERRUPT: 0x08,
  READ_ID: 0x0a,
  FORMAT: 0x0d,
  DUMP_REGISTERS: 0x0e,
  SEEK: 0x0f,
  VERSION: 0x10,
  PERPENDICULAR: 0x12,
  CONFIGURE: 0x13,
  LOCK: 0x14,
} as const;
/** Bytes of each command, the first included; others have one, and are invalid. */
const LENGTH: Readonly<Record<number, number>> = {
  [COMMAND.SPECIFY]: 3,
  [COMMAND.SENSE_DRIVE]: 2,
  [COMMAND.WRITE]: 9,
  [COMMAND.READ]: 9,
  [COMMAND.RECALIBRATE]: 2,
  [COMMAND.READ_ID]: 2,
  [COMMAND.FORMAT]: 6,
  [COMMAND.SEEK]: 3,
  [COMMAND.PERPENDICULAR]: 2,
  [COMMAND.CONFIGURE]: 4,
};
const MULTI_TRACK = 0x80;
const LOCK_ON = 0x80;
const VERSION_82077 = 0x90;

const ST0 = { SEEK_END: 0x20, ABNORMAL: 0x40, INVALID: 0x80, READY_CHANGED: 0xc0, HEAD: 4 } as const;
const ST1 = { NO_ADDRESS: 0x01, WRITE_PROTECTED: 0x02, NO_DATA: 0x04, DATA_ERROR: 0x20, END: 0x80 } as const;
const ST3 = { TWO_SIDES: 0x08, TRACK_0: 0x10, READY: 0x20, WRITE_PROTECTED: 0x40 } as const;

const stateSchema = z.strictObject({
  output: u8,
  command: z.array(u8).max(9),
  result: z.array(u8).max(10),
  /** The command is being executed. */
  executing: flag,
  cylinder: u8,
  changed: flag,
  /** ST0 of interrupts that were not sensed yet. */
  pending: z.array(u8).max(4),
  interrupt: flag,
  settings: z.strictObject({ specify: z.array(u8).length(2), configure: u8, precompensation: u8, lock: flag }),
});
type FloppyState = z.infer<typeof stateSchema>;

export interface FloppyParts {
  readonly bus: IoBus;
  readonly irq: InterruptLine;
  readonly dma: DmaChannel;
  readonly deliver: (apply: () => void) => void;
  readonly awaitHost?: () => () => void;
  /** The disk in drive A:, of one of the sizes that there are (geometry.ts). */
  readonly disk: BlockBackend;
  readonly onError?: ((request: string, error: unknown) => void) | undefined;
}

/** Where a transfer begins and how far it may go. */
interface Transfer {
  readonly offset: number;
  readonly length: number;
  readonly write: boolean;
}

export class FloppyController implements Device<FloppyState> {
  readonly name = "floppy";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly #parts: FloppyParts;
  readonly #geometry: FloppyGeometry;
  #state = powerOn();
  /** Counts resets and restores: a transfer of before is nobody's any more. */
  #life = 0;

  constructor(parts: FloppyParts) {
    const geometry = floppyGeometry(parts.disk.sizeBytes);
    if (!geometry) throw new Error("assertion failed: the image is that of a floppy disk");
    this.#parts = parts;
    this.#geometry = geometry;
    parts.bus.mapPorts(
      PORT,
      6,
      byteWide(
        (offset) => this.#read(offset),
        (offset, value) => this.#write(offset, value),
      ),
    );
    parts.bus.mapPorts(
      PORT_INPUT,
      1,
      byteWide(
        () => (this.#selected && this.#state.changed ? DISK_CHANGED : 0),
        () => {},
      ),
    );
  }

  reset(): void {
    this.#life++;
    this.#state = powerOn();
    this.#parts.irq.set(false);
  }

  save(): FloppyState {
    return structuredCopy(this.#state);
  }

  restore(state: FloppyState): void {
    const life = ++this.#life;
    this.#state = structuredCopy(state);
    this.#parts.irq.set(state.interrupt);
    if (!state.executing) return;
    this.#parts.deliver(() => {
      if (life === this.#life) this.#execute();
    });
  }

  /** Whether drive A: is meant, with its motor or without. */
  get #selected(): boolean {
    return (this.#state.output & OUTPUT.DRIVE) === 0;
  }

  #read(offset: number): number {
    const s = this.#state;
    switch (offset) {
      case REGISTER.OUTPUT:
        return s.output;
      case REGISTER.STATUS:
        if (s.executing || !(s.output & OUTPUT.NOT_RESET)) return s.executing ? STATUS.BUSY : 0;
        if (s.result.length > 0) return STATUS.READY | STATUS.TO_PROCESSOR | STATUS.BUSY;
        return STATUS.READY | (s.command.length > 0 ? STATUS.BUSY : 0);
      case REGISTER.DATA: {
        this.#interrupt(false);
        return s.result.shift() ?? 0;
      }
      default:
        return offset === REGISTER.TAPE ? 0 : 0xff;
    }
  }

  #write(offset: number, value: number): void {
    if (offset === REGISTER.OUTPUT) this.#writeOutput(value);
    else if (offset === REGISTER.STATUS && value & 0x80) this.#softReset();
    else if (offset === REGISTER.DATA) this.#writeData(value);
  }

  #writeOutput(value: number): void {
    const before = this.#state.output;
    this.#state.output = value;
    if (!(before & OUTPUT.NOT_RESET) && value & OUTPUT.NOT_RESET) this.#softReset();
    else if (!(value & OUTPUT.NOT_RESET)) this.#abandon();
  }

  /** All four drives report, whether they are there or not (82077AA, 6.2). */
  #softReset(): void {
    this.#abandon();
    this.#state.pending = [0, 1, 2, 3].map((drive) => ST0.READY_CHANGED | drive);
    this.#interrupt(true);
  }

  #abandon(): void {
    this.#life++;
    Object.assign(this.#state, { command: [], result: [], executing: false, pending: [] });
    this.#interrupt(false);
  }

  #interrupt(level: boolean): void {
    this.#state.interrupt = level;
    this.#parts.irq.set(level && (this.#state.output & OUTPUT.DMA) !== 0);
  }

  #writeData(value: number): void {
    const s = this.#state;
    if (s.executing || s.result.length > 0 || !(s.output & OUTPUT.NOT_RESET)) return;
    s.command.push(value);
    if (s.command.length >= (LENGTH[this.#opcode] ?? 1)) this.#execute();
  }

  get #opcode(): number {
    const first = this.#state.command[0] ?? 0;
    // The upper bits are flags of the transfers, and of LOCK.
    const low = first & 0x1f;
    return low === COMMAND.READ ||
      low === COMMAND.WRITE ||
      low === COMMAND.READ_ID ||
      low === COMMAND.FORMAT ||
      (first & 0x7f) === COMMAND.LOCK
      ? low
      : first;
  }

  #execute(): void {
    const s = this.#state;
    const argument = (index: number): number => s.command[index] ?? 0;
    const drive = argument(1) & 3;
    switch (this.#opcode) {
      case COMMAND.READ:
      case COMMAND.WRITE:
        return this.#transfer(this.#opcode === COMMAND.WRITE);
      case COMMAND.FORMAT:
        return this.#format();
      case COMMAND.READ_ID: {
        const head = (argument(1) >> 2) & 1;
        const isThere = drive === 0 && s.cylinder < this.#geometry.cylinders;
        return this.#finish(isThere ? 0 : ST1.NO_ADDRESS, [s.cylinder, head, 1, 2]);
      }
      case COMMAND.SEEK:
      case COMMAND.RECALIBRATE:
        if (drive === 0) {
          s.cylinder = this.#opcode === COMMAND.SEEK ? argument(2) : 0;
          s.changed = false;
        }
        s.pending.push(ST0.SEEK_END | (drive === 0 ? 0 : ST0.ABNORMAL) | (argument(1) & 7));
        s.pending = s.pending.slice(-4);
        s.command = [];
        return this.#interrupt(true);
      case COMMAND.SENSE_INTERRUPT: {
        const status = s.pending.shift();
        this.#interrupt(false);
        return this.#answer(status === undefined ? [ST0.INVALID] : [status, s.cylinder]);
      }
      case COMMAND.SENSE_DRIVE: {
        const there = drive === 0 ? ST3.TWO_SIDES | (s.cylinder === 0 ? ST3.TRACK_0 : 0) : 0;
        const isProtected = drive === 0 && this.#parts.disk.readOnly;
        return this.#answer([ST3.READY | there | (isProtected ? ST3.WRITE_PROTECTED : 0) | (argument(1) & 7)]);
      }
      case COMMAND.SPECIFY:
        s.settings.specify = [argument(1), argument(2)];
        return this.#answer([]);
      case COMMAND.CONFIGURE:
        s.settings.configure = argument(2);
        s.settings.precompensation = argument(3);
        return this.#answer([]);
      case COMMAND.PERPENDICULAR:
        return this.#answer([]);
      case COMMAND.LOCK:
        s.settings.lock = (argument(0) & LOCK_ON) !== 0;
        return this.#answer([s.settings.lock ? 0x10 : 0]);
      case COMMAND.VERSION:
        return this.#answer([VERSION_82077]);
      case COMMAND.DUMP_REGISTERS: {
        const { specify, configure, precompensation, lock } = s.settings;
        const [low = 0, high = 0] = specify;
        const { sectors } = this.#geometry;
        return this.#answer([s.cylinder, 0, 0, 0, low, high, sectors, lock ? 0x80 : 0, configure, precompensation]);
      }
      default:
        return this.#answer([ST0.INVALID]);
    }
  }

  #answer(result: number[]): void {
    this.#state.command = [];
    this.#state.result = result;
  }

  /** The result phase of a transfer: ST0 to ST2, then where it ended. */
  #finish(st1: number, place: readonly number[]): void {
    const s = this.#state;
    const select = (s.command[1] ?? 0) & 7;
    s.executing = false;
    this.#answer([(st1 === 0 ? 0 : ST0.ABNORMAL) | select, st1, 0, ...place]);
    this.#interrupt(true);
  }

  /** What READ or WRITE DATA asks for, as far as the DMA channel goes; or ST1 of what is wrong with it. */
  #plan(write: boolean): Transfer | number {
    const { command, cylinder: at } = this.#state;
    const [first = 0, select = 0, cylinder = 0, head = 0, sector = 0, sizeCode = 0, last = 0] = command;
    const { cylinders, heads, sectors } = this.#geometry;
    if ((select & 3) !== 0 || at >= cylinders) return ST1.NO_ADDRESS;
    if (cylinder !== at || head >= heads || sector < 1 || sector > sectors || sizeCode !== 2) return ST1.NO_DATA;
    if (write && this.#parts.disk.readOnly) return ST1.WRITE_PROTECTED;
    const end = Math.min(last, sectors);
    // To the end of the track, and with MT also over the other side.
    const available = Math.max(0, end - sector + 1) + (first & MULTI_TRACK && head === 0 ? end : 0);
    const wanted = Math.ceil(this.#parts.dma.room() / SECTOR_SIZE_BYTES);
    const offset = ((at * heads + head) * sectors + sector - 1) * SECTOR_SIZE_BYTES;
    return { offset, length: Math.min(available, wanted) * SECTOR_SIZE_BYTES, write };
  }

  #transfer(write: boolean): void {
    const s = this.#state;
    const plan = this.#plan(write);
    const place = s.command.slice(2, 6);
    if (typeof plan === "number") return this.#finish(plan, place);
    s.executing = true;
    const data = new Uint8Array(plan.length);
    const { disk, dma } = this.#parts;
    if (write) {
      const ended = dma.fromMemory(data);
      return this.#await("write", disk.write(plan.offset, data), () =>
        this.#finish(ended ? 0 : ST1.END, this.#after(plan)),
      );
    }
    this.#await("read", disk.read(plan.offset, data), () => {
      const ended = dma.toMemory(data);
      this.#finish(ended ? 0 : ST1.END, this.#after(plan));
    });
  }

  /** Formatting writes the filler over a track; the sector headers are what they are. */
  #format(): void {
    const s = this.#state;
    const [, select = 0, , count = 0, , filler = 0] = s.command;
    const { cylinders, heads, sectors } = this.#geometry;
    const place = [s.cylinder, (select >> 2) & 1, 1, 2];
    if ((select & 3) !== 0 || s.cylinder >= cylinders) return this.#finish(ST1.NO_ADDRESS, place);
    if (this.#parts.disk.readOnly) return this.#finish(ST1.WRITE_PROTECTED, place);
    const offset = (s.cylinder * heads + ((select >> 2) & 1)) * sectors * SECTOR_SIZE_BYTES;
    const data = new Uint8Array(Math.min(count, sectors) * SECTOR_SIZE_BYTES).fill(filler);
    this.#parts.dma.fromMemory(new Uint8Array(count * 4));
    s.executing = true;
    this.#await("write", this.#parts.disk.write(offset, data), () => this.#finish(0, place));
  }

  #await(request: string, work: Promise<void>, finished: () => void): void {
    const life = this.#life;
    const arrived = this.#parts.awaitHost?.();
    const settle = (apply: () => void): void =>
      this.#parts.deliver(() => {
        arrived?.();
        if (life === this.#life) apply();
      });
    work.then(
      () => settle(finished),
      (error: unknown) => {
        this.#parts.onError?.(request, error);
        settle(() => this.#finish(ST1.DATA_ERROR, this.#state.command.slice(2, 6)));
      },
    );
  }

  /** The sector behind a transfer, as the result phase names it (82077AA, table 5-9). */
  #after({ offset, length }: Transfer): number[] {
    const { heads, sectors } = this.#geometry;
    const next = (offset + length) / SECTOR_SIZE_BYTES;
    const track = Math.floor(next / sectors);
    return [Math.floor(track / heads) & 0xff, track % heads, (next % sectors) + 1, 2];
  }
}

function powerOn(): FloppyState {
  return {
    ...{
      output: 0,
      command: [],
      result: [],
      executing: false,
      cylinder: 0,
      changed: true,
      pending: [],
      interrupt: false,
    },
    settings: { specify: [0, 0], configure: 0, precompensation: 0, lock: false },
  };
}

function structuredCopy(state: FloppyState): FloppyState {
  return {
    ...state,
    command: [...state.command],
    result: [...state.result],
    pending: [...state.pending],
    settings: { ...state.settings, specify: [...state.settings.specify] },
  };
}
