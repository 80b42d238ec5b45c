// 16550A UART with a console behind it. What the guest sends goes to the sink at once (the transmitter is always empty); what the
// host sends waits in a backlog and enters the 16-byte FIFO as the guest makes room, so that pasted text never overruns.
import { z } from "zod";
import { byteWide } from "../bus.ts";
import type { Device, InterruptLine, IoBus } from "../device.ts";
import { bytesUpTo, flag, u8, u16 } from "../state-schema.ts";
import {
  FCR,
  IER,
  IIR,
  LCR_DLAB,
  LSR,
  MCR,
  MSR,
  TRIGGER_LEVELS,
  UART,
  UART_FIFO_BYTES,
  UART_IRQS,
  UART_PORTS,
} from "./registers.ts";

/** Bytes the host may send ahead of the guest; more is refused. */
const UART_BACKLOG_BYTES = 1 << 20;
/** 115200 / 12 = 9600 baud. */
const RESET_DIVISOR = 12;

/** Host side of a port: gets what the guest sends. */
export interface ByteSink {
  write(byte: number): void;
}

const stateSchema = z.strictObject({
  ier: u8,
  fcr: u8,
  lcr: u8,
  mcr: u8,
  lineErrors: u8,
  modemDelta: u8,
  scratch: u8,
  divisor: u16,
  transmitPending: flag,
  fifo: bytesUpTo(UART_FIFO_BYTES),
  backlog: bytesUpTo(UART_BACKLOG_BYTES),
});
export type UartState = z.infer<typeof stateSchema>;

export class Uart implements Device<UartState> {
  readonly name: string;
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<UartState> = stateSchema;
  readonly #irq: InterruptLine;
  readonly #sink: ByteSink;
  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #lineErrors = 0;
  #modemDelta = 0;
  #scratch = 0;
  #divisor = RESET_DIVISOR;
  /** "Transmitter empty" has not been seen by the guest yet. */
  #transmitPending = false;
  #fifo: number[] = [];
  #backlog: Uint8Array = new Uint8Array(0);

  /** `index`: 0 = COM1, 1 = COM2. */
  constructor(index: 0 | 1, bus: IoBus, irq: InterruptLine, sink: ByteSink) {
    this.name = `uart${index}`;
    this.#irq = irq;
    this.#sink = sink;
    bus.mapPorts(
      UART_PORTS[index],
      8,
      byteWide(
        (offset) => this.#read(offset),
        (offset, value) => this.#write(offset, value),
      ),
    );
  }

  static irq(index: 0 | 1): number {
    return UART_IRQS[index];
  }

  /** Bytes typed by the host. Returns how many were taken; the rest did not fit the backlog. */
  receive(data: Uint8Array): number {
    const taken = Math.min(data.length, UART_BACKLOG_BYTES - this.#backlog.length);
    const joined = new Uint8Array(this.#backlog.length + taken);
    joined.set(this.#backlog);
    joined.set(data.subarray(0, taken), this.#backlog.length);
    this.#backlog = joined;
    this.#fill();
    return taken;
  }

  reset(): void {
    this.#ier = 0;
    this.#fcr = 0;
    this.#lcr = 0;
    this.#mcr = 0;
    this.#lineErrors = 0;
    this.#modemDelta = 0;
    this.#scratch = 0;
    this.#divisor = RESET_DIVISOR;
    this.#transmitPending = false;
    this.#fifo = [];
    this.#backlog = new Uint8Array(0);
    this.#update();
  }

  save(): UartState {
    return {
      ier: this.#ier,
      fcr: this.#fcr,
      lcr: this.#lcr,
      mcr: this.#mcr,
      lineErrors: this.#lineErrors,
      modemDelta: this.#modemDelta,
      scratch: this.#scratch,
      divisor: this.#divisor,
      transmitPending: this.#transmitPending,
      fifo: Uint8Array.from(this.#fifo),
      backlog: this.#backlog.slice(),
    };
  }

  restore(state: UartState): void {
    this.#ier = state.ier & 0x0f;
    this.#fcr = state.fcr;
    this.#lcr = state.lcr;
    this.#mcr = state.mcr & 0x1f;
    this.#lineErrors = state.lineErrors;
    this.#modemDelta = state.modemDelta & 0x0f;
    this.#scratch = state.scratch;
    this.#divisor = state.divisor;
    this.#transmitPending = state.transmitPending;
    this.#fifo = [...state.fifo];
    this.#backlog = state.backlog.slice();
    this.#update();
  }

  get #divisorLatch(): boolean {
    return (this.#lcr & LCR_DLAB) !== 0;
  }

  #read(offset: number): number {
    switch (offset) {
      case UART.DATA:
        return this.#divisorLatch ? this.#divisor & 0xff : this.#readData();
      case UART.IER:
        return this.#divisorLatch ? this.#divisor >>> 8 : this.#ier;
      case UART.IIR:
        return this.#readIdentification();
      case UART.LCR:
        return this.#lcr;
      case UART.MCR:
        return this.#mcr;
      case UART.LSR: {
        const value = LSR.TRANSMIT_EMPTY | this.#lineErrors | (this.#fifo.length > 0 ? LSR.DATA_READY : 0);
        this.#lineErrors = 0;
        this.#update();
        return value;
      }
      case UART.MSR: {
        const value = this.#modemStatus | this.#modemDelta;
        this.#modemDelta = 0;
        this.#update();
        return value;
      }
      default:
        return this.#scratch;
    }
  }

  #write(offset: number, value: number): void {
    switch (offset) {
      case UART.DATA:
        if (this.#divisorLatch) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case UART.IER:
        if (this.#divisorLatch) {
          this.#divisor = (this.#divisor & 0xff) | (value << 8);
        } else {
          // Enabling the interrupt while the transmitter is empty raises it.
          if ((value & ~this.#ier & IER.TRANSMIT_EMPTY) !== 0) this.#transmitPending = true;
          this.#ier = value & 0x0f;
        }
        break;
      case UART.FCR:
        if ((value & FCR.CLEAR_RECEIVE) !== 0 || ((value ^ this.#fcr) & FCR.ENABLE) !== 0) this.#fifo = [];
        this.#fcr = (value & FCR.ENABLE) !== 0 ? value & 0xc9 : 0;
        this.#fill();
        break;
      case UART.LCR:
        this.#lcr = value;
        break;
      case UART.MCR:
        this.#writeModemControl(value & 0x1f);
        break;
      case UART.SCRATCH:
        this.#scratch = value;
        break;
    }
    this.#update();
  }

  #transmit(byte: number): void {
    this.#transmitPending = true;
    if ((this.#mcr & MCR.LOOP) === 0) {
      this.#sink.write(byte);
    } else if (this.#fifo.length < this.#fifoDepth) {
      this.#fifo.push(byte);
    } else {
      this.#lineErrors |= LSR.OVERRUN;
    }
  }

  #readData(): number {
    const byte = this.#fifo.shift() ?? 0;
    this.#fill();
    return byte;
  }

  #readIdentification(): number {
    const cause = this.#cause();
    // Reading the identification is what acknowledges "transmitter empty".
    if (cause === IIR.TRANSMIT_EMPTY) this.#transmitPending = false;
    this.#update();
    return cause | (this.#fcr & FCR.ENABLE ? IIR.FIFO_ENABLED : 0);
  }

  get #fifoDepth(): number {
    return this.#fcr & FCR.ENABLE ? UART_FIFO_BYTES : 1;
  }

  #fill(): void {
    const room = (this.#mcr & MCR.LOOP) !== 0 ? 0 : this.#fifoDepth - this.#fifo.length;
    const taken = Math.min(room, this.#backlog.length);
    if (taken > 0) {
      this.#fifo.push(...this.#backlog.subarray(0, taken));
      this.#backlog = this.#backlog.subarray(taken);
    }
    this.#update();
  }

  /** Highest-priority pending cause. */
  #cause(): number {
    if ((this.#ier & IER.LINE_STATUS) !== 0 && this.#lineErrors !== 0) return IIR.LINE_STATUS;
    if ((this.#ier & IER.RECEIVED) !== 0 && this.#fifo.length > 0) {
      const trigger = this.#fcr & FCR.ENABLE ? (TRIGGER_LEVELS[this.#fcr >>> 6] ?? 1) : 1;
      // Below the trigger level a character timeout tells; the line is idle between host events, so at once.
      return this.#fifo.length >= trigger ? IIR.RECEIVED : IIR.TIMEOUT;
    }
    if ((this.#ier & IER.TRANSMIT_EMPTY) !== 0 && this.#transmitPending) return IIR.TRANSMIT_EMPTY;
    if ((this.#ier & IER.MODEM_STATUS) !== 0 && this.#modemDelta !== 0) return IIR.MODEM_STATUS;
    return IIR.NONE;
  }

  /** OUT2 gates the interrupt onto the ISA bus on PC serial cards. */
  #update(): void {
    this.#irq.set((this.#mcr & (MCR.OUT2 | MCR.LOOP)) === MCR.OUT2 && this.#cause() !== IIR.NONE);
  }

  /** A console is always there: clear to send, data set ready, carrier. In loopback the outputs come back as inputs. */
  get #modemStatus(): number {
    if ((this.#mcr & MCR.LOOP) === 0) return MSR.CTS | MSR.DSR | MSR.DCD;
    return (
      (this.#mcr & MCR.RTS ? MSR.CTS : 0) |
      (this.#mcr & MCR.DTR ? MSR.DSR : 0) |
      (this.#mcr & MCR.OUT1 ? MSR.RI : 0) |
      (this.#mcr & MCR.OUT2 ? MSR.DCD : 0)
    );
  }

  #writeModemControl(value: number): void {
    const before = this.#modemStatus;
    this.#mcr = value;
    const changed = before ^ this.#modemStatus;
    this.#modemDelta |= (changed >>> 4) & 0x0b;
    if ((changed & before & MSR.RI) !== 0) this.#modemDelta |= MSR.RI_TRAILING;
    this.#fill();
  }
}
