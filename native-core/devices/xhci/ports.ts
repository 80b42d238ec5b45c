// The root hub's ports (xHCI 1.2 4.19, 5.4.8): what is plugged in, and what changed about it.
import { z } from "zod";
import { arrayOf, u32 } from "../state-schema.ts";
import type { UsbDevice } from "../usb/usb-device.ts";
import { HIGH_SPEED, LINK, PORTS, PORTSC } from "./registers.ts";

export const portsStateSchema = arrayOf(u32, PORTS);
type PortsState = z.infer<typeof portsStateSchema>;

/** What remains of a register on the way into a saved state and back. */
const KEPT =
  PORTSC.CONNECTED | PORTSC.ENABLED | PORTSC.LINK_MASK | PORTSC.POWER | PORTSC.CHANGES | PORTSC.WAKE_BITS | 0x3c00;

export class Ports {
  readonly #changed: (port: number) => void;
  readonly #devices: (UsbDevice | undefined)[] = Array.from({ length: PORTS });
  readonly #status = new Uint32Array(PORTS);

  /** `changed`: a change bit of a port, counted from 0, was set. */
  constructor(changed: (port: number) => void) {
    this.#changed = changed;
  }

  deviceAt(port: number): UsbDevice | undefined {
    return this.#devices[port];
  }

  portOf(device: UsbDevice): number {
    return this.#devices.indexOf(device);
  }

  plug(port: number, device: UsbDevice): void {
    this.#devices[port] = device;
    this.#connect(port);
  }

  unplug(port: number): void {
    this.#devices[port] = undefined;
    const wasEnabled = (this.#statusOf(port) & PORTSC.ENABLED) !== 0;
    this.#status[port] =
      (this.#statusOf(port) & (PORTSC.CHANGES | PORTSC.WAKE_BITS)) |
      PORTSC.POWER |
      (LINK.RX_DETECT << PORTSC.LINK_SHIFT) |
      PORTSC.CONNECT_CHANGE |
      (wasEnabled ? PORTSC.ENABLE_CHANGE : 0);
    this.#changed(port);
  }

  /** A device that sleeps has something to say: the host is woken. */
  wake(port: number): void {
    const status = this.#statusOf(port);
    if ((status & PORTSC.LINK_MASK) >> PORTSC.LINK_SHIFT !== LINK.U3) return;
    this.#setLink(port, LINK.RESUME);
    this.#set(port, PORTSC.LINK_CHANGE);
  }

  reset(): void {
    for (let port = 0; port < PORTS; port++) {
      this.#devices[port]?.reset();
      this.#status[port] = PORTSC.POWER | (LINK.RX_DETECT << PORTSC.LINK_SHIFT);
      if (this.#devices[port]) this.#connect(port);
    }
  }

  read(port: number): number {
    return this.#statusOf(port);
  }

  write(port: number, value: number): void {
    // Ones clear changes.
    this.#status[port] = this.#statusOf(port) & ~(value & PORTSC.CHANGES);
    this.#status[port] = (this.#statusOf(port) & ~PORTSC.WAKE_BITS) | (value & PORTSC.WAKE_BITS);
    if ((value & PORTSC.ENABLED) !== 0) this.#status[port] = this.#statusOf(port) & ~PORTSC.ENABLED;
    if ((value & PORTSC.LINK_STROBE) !== 0) this.#moveLink(port, (value & PORTSC.LINK_MASK) >> PORTSC.LINK_SHIFT);
    if ((value & PORTSC.RESET) !== 0) this.#resetPort(port);
  }

  save(): PortsState {
    return [...this.#status];
  }

  restore(state: PortsState): void {
    state.forEach((status, port) => {
      this.#status[port] = status & KEPT;
      // What was plugged in or pulled out while the machine was not running is a change like any other.
      const isConnected = (status & PORTSC.CONNECTED) !== 0;
      if (this.#devices[port] && !isConnected) this.#connect(port);
      else if (!this.#devices[port] && isConnected) this.unplug(port);
    });
  }

  #statusOf(port: number): number {
    return this.#status[port] ?? 0;
  }

  #connect(port: number): void {
    this.#status[port] =
      (this.#statusOf(port) & (PORTSC.CHANGES | PORTSC.WAKE_BITS)) |
      PORTSC.POWER |
      PORTSC.CONNECTED |
      (HIGH_SPEED << PORTSC.SPEED_SHIFT) |
      (LINK.POLLING << PORTSC.LINK_SHIFT);
    this.#set(port, PORTSC.CONNECT_CHANGE);
  }

  #resetPort(port: number): void {
    const device = this.#devices[port];
    if (!device) return;
    device.reset();
    this.#setLink(port, LINK.U0);
    this.#status[port] = this.#statusOf(port) | PORTSC.ENABLED;
    this.#set(port, PORTSC.RESET_CHANGE);
  }

  #moveLink(port: number, link: number): void {
    const before = (this.#statusOf(port) & PORTSC.LINK_MASK) >> PORTSC.LINK_SHIFT;
    if (link !== LINK.U0 && link !== LINK.U3 && link !== LINK.RESUME) return;
    this.#setLink(port, link);
    if (link === LINK.U0 && before !== LINK.U0) this.#set(port, PORTSC.LINK_CHANGE);
  }

  #setLink(port: number, link: number): void {
    this.#status[port] = (this.#statusOf(port) & ~PORTSC.LINK_MASK) | (link << PORTSC.LINK_SHIFT);
  }

  #set(port: number, change: number): void {
    this.#status[port] = this.#statusOf(port) | change;
    this.#changed(port);
  }
}
