// virtio-console (virtio 1.2 5.3): port 0 is a terminal (hvc0), further ports are named byte channels between guest and host.
//
//   queues  0, 1: port 0 in, out    2, 3: control in, out (multiport)    4, 5: port 1 in, out    ...
import { z } from "zod";
import type { AccessSize } from "../../device.ts";
import { bytesUpTo, flag, u16 } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import { CONTROL_EVENT, CONTROL_HEADER_BYTES, controlMessage, parseControl } from "./control.ts";

const VIRTIO_CONSOLE_F_SIZE = 1n << 0n;
const VIRTIO_CONSOLE_F_MULTIPORT = 1n << 1n;
const VIRTIO_CONSOLE_F_EMERG_WRITE = 1n << 2n;

const CONFIG_LENGTH = 12;
const CONFIG_EMERG_WR = 8;

const CONTROL_RECEIVE_QUEUE = 2;
const CONTROL_TRANSMIT_QUEUE = 3;

const QUEUE_SIZE = 128;
/** Input that the guest has not taken yet; more is refused, so a sleeping guest costs nothing. */
const MAX_PENDING_INPUT = 64 * 1024;
/** Control messages wait only while the driver sets up; a driver that never reads them gets no more. */
const MAX_PENDING_CONTROL = 256;
/** A transmit buffer is copied out in pieces of this size. */
const OUTPUT_CHUNK = 4096;

const consoleStateSchema = z.object({
  columns: u16,
  rows: u16,
  pendingControl: z.array(bytesUpTo(256)).max(MAX_PENDING_CONTROL),
  ports: z.array(z.object({ guestOpen: flag, pendingInput: bytesUpTo(MAX_PENDING_INPUT) })).max(32),
});
type VirtioConsoleState = z.infer<typeof consoleStateSchema>;

export interface ConsolePortOptions {
  /** A terminal (hvcN) rather than a byte channel (/dev/vportNpM). Port 0 always is one. */
  readonly terminal: boolean;
  /** Shown in the guest as /dev/virtio-ports/NAME. */
  readonly name?: string;
  /** Takes what the guest writes. The bytes are the callee's. */
  readonly output: (bytes: Uint8Array) => void;
  /** The guest opened or closed the port. */
  readonly onGuestOpen?: (open: boolean) => void;
}

interface Port {
  readonly options: ConsolePortOptions;
  readonly receiveQueue: number;
  guestOpen: boolean;
  pendingInput: Uint8Array;
}

export class VirtioConsole implements VirtioModel<VirtioConsoleState> {
  readonly deviceId = DEVICE_ID.CONSOLE;
  readonly pciClass = 0x0780;
  readonly features = VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_CONSOLE_F_EMERG_WRITE;
  readonly queueSizes: readonly number[];
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = consoleStateSchema;
  readonly #ports: readonly Port[];
  readonly #config = new Uint8Array(CONFIG_LENGTH);
  readonly #configView = new DataView(this.#config.buffer);
  #pendingControl: Uint8Array[] = [];
  #services!: VirtioTransportServices;

  constructor(ports: readonly [ConsolePortOptions, ...ConsolePortOptions[]]) {
    this.#ports = ports.map((options, index) => ({
      options,
      receiveQueue: index === 0 ? 0 : 2 * index + 2,
      guestOpen: false,
      pendingInput: new Uint8Array(0),
    }));
    this.queueSizes = new Array<number>(2 * ports.length + 2).fill(QUEUE_SIZE);
    this.#configView.setUint16(0, 80, true);
    this.#configView.setUint16(2, 24, true);
    this.#configView.setUint32(4, ports.length, true);
  }

  // Host side

  /** Input for a port. Returns how many bytes were taken; the rest may be offered again later. */
  receive(portIndex: number, bytes: Uint8Array): number {
    const port = this.#ports[portIndex];
    if (!port) return 0;
    const taken = Math.min(bytes.length, MAX_PENDING_INPUT - port.pendingInput.length);
    if (taken === 0) return 0;
    const joined = new Uint8Array(port.pendingInput.length + taken);
    joined.set(port.pendingInput);
    joined.set(bytes.subarray(0, taken), port.pendingInput.length);
    port.pendingInput = joined;
    this.#fillInput(port);
    return taken;
  }

  /** The terminal window of port 0 has a new size. */
  resize(columns: number, rows: number): void {
    this.#configView.setUint16(0, columns, true);
    this.#configView.setUint16(2, rows, true);
    if (this.#multiport) this.#sendSize();
    else this.#services.configChanged();
  }

  // Driver side

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  writeConfig(offset: number, _size: AccessSize, value: number): void {
    // virtio 1.2 5.3.4: one character for early debugging, valid before any set-up.
    if (offset === CONFIG_EMERG_WR) this.#ports[0]?.options.output(Uint8Array.of(value & 0xff));
  }

  notified(queueIndex: number): void {
    if (queueIndex === CONTROL_RECEIVE_QUEUE) return this.#flushControl();
    if (queueIndex === CONTROL_TRANSMIT_QUEUE) return this.#readControl();
    const port = this.#ports[queueIndex < 2 ? 0 : (queueIndex >> 1) - 1];
    if (!port) return;
    if (queueIndex === port.receiveQueue) this.#fillInput(port);
    else this.#drainOutput(port, queueIndex);
  }

  reset(): void {
    this.#pendingControl = [];
    for (const port of this.#ports) {
      port.pendingInput = new Uint8Array(0);
      this.#setGuestOpen(port, false);
    }
  }

  save(): VirtioConsoleState {
    return {
      columns: this.#configView.getUint16(0, true),
      rows: this.#configView.getUint16(2, true),
      pendingControl: this.#pendingControl.map((message) => message.slice()),
      ports: this.#ports.map(({ guestOpen, pendingInput }) => ({ guestOpen, pendingInput: pendingInput.slice() })),
    };
  }

  restore(state: VirtioConsoleState): void {
    this.#configView.setUint16(0, state.columns, true);
    this.#configView.setUint16(2, state.rows, true);
    this.#pendingControl = state.pendingControl.map((message) => message.slice());
    this.#ports.forEach((port, index) => {
      const saved = state.ports[index];
      if (!saved) return;
      port.pendingInput = saved.pendingInput.slice();
      this.#setGuestOpen(port, saved.guestOpen);
    });
  }

  get #multiport(): boolean {
    return (this.#services.features & VIRTIO_CONSOLE_F_MULTIPORT) !== 0n;
  }

  #fillInput(port: Port): void {
    if (!this.#services.running) return;
    const queue = this.#services.queues[port.receiveQueue];
    if (!queue) return;
    while (port.pendingInput.length > 0) {
      const chain = queue.pop();
      if (!chain) break;
      const length = Math.min(chain.writableBytes, port.pendingInput.length);
      chain.write(0, port.pendingInput.subarray(0, length));
      port.pendingInput = port.pendingInput.subarray(length);
      queue.push(chain, length);
    }
    this.#services.signal(queue);
  }

  #drainOutput(port: Port, queueIndex: number): void {
    const queue = this.#services.queues[queueIndex];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      for (let at = 0; at < chain.readableBytes; at += OUTPUT_CHUNK) {
        const bytes = new Uint8Array(Math.min(OUTPUT_CHUNK, chain.readableBytes - at));
        chain.read(at, bytes);
        port.options.output(bytes);
      }
      queue.push(chain, 0);
    }
    this.#services.signal(queue);
  }

  // Control messages of the multiport protocol (virtio 1.2 5.3.6.2)

  #readControl(): void {
    const queue = this.#services.queues[CONTROL_TRANSMIT_QUEUE];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      if (chain.readableBytes >= CONTROL_HEADER_BYTES) {
        const bytes = new Uint8Array(CONTROL_HEADER_BYTES);
        chain.read(0, bytes);
        this.#handleControl(parseControl(bytes));
      }
      queue.push(chain, 0);
    }
    this.#services.signal(queue);
  }

  #handleControl({ port: index, event, value }: { port: number; event: number; value: number }): void {
    if (event === CONTROL_EVENT.DEVICE_READY) {
      if (value === 1) this.#ports.forEach((_, added) => this.#send(added, CONTROL_EVENT.DEVICE_ADD, 1));
      return;
    }
    const port = this.#ports[index];
    if (!port) return;
    if (event === CONTROL_EVENT.PORT_OPEN) this.#setGuestOpen(port, value === 1);
    if (event !== CONTROL_EVENT.PORT_READY || value !== 1) return;
    if (port.options.name) {
      this.#send(index, CONTROL_EVENT.PORT_NAME, 1, new TextEncoder().encode(port.options.name));
    }
    if (port.options.terminal) this.#send(index, CONTROL_EVENT.CONSOLE_PORT, 1);
    this.#send(index, CONTROL_EVENT.PORT_OPEN, 1);
    if (index === 0) this.#sendSize();
  }

  #sendSize(): void {
    // Columns before rows, as the specification says; Linux had them swapped until 6.15 and its stable branches.
    this.#send(0, CONTROL_EVENT.RESIZE, 0, this.#config.slice(0, 4));
  }

  #send(port: number, event: number, value: number, payload?: Uint8Array): void {
    if (this.#pendingControl.length >= MAX_PENDING_CONTROL) return;
    this.#pendingControl.push(controlMessage(port, event, value, payload));
    this.#flushControl();
  }

  #flushControl(): void {
    if (!this.#services.running) return;
    const queue = this.#services.queues[CONTROL_RECEIVE_QUEUE];
    if (!queue) return;
    for (let message = this.#pendingControl[0]; message; message = this.#pendingControl[0]) {
      const chain = queue.pop();
      if (!chain) break;
      this.#pendingControl.shift();
      const length = Math.min(message.length, chain.writableBytes);
      chain.write(0, message.subarray(0, length));
      queue.push(chain, length);
    }
    this.#services.signal(queue);
  }

  #setGuestOpen(port: Port, open: boolean): void {
    if (port.guestOpen === open) return;
    port.guestOpen = open;
    port.options.onGuestOpen?.(open);
  }
}
