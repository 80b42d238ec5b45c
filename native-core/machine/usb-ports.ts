// What is plugged into the USB controller: a keyboard and a tablet from the start, disks that come and go.

import { UsbKeyboard } from "../devices/usb/keyboard.ts";
import { MassStorage } from "../devices/usb/mass-storage.ts";
import { UsbTablet } from "../devices/usb/tablet.ts";
import { USB2_PORTS } from "../devices/xhci/registers.ts";
import { Xhci } from "../devices/xhci/xhci.ts";
import type { BoardServices } from "./board.ts";
import type { DiskPart } from "./cards.ts";

/** Ports are counted from 0. */
export const FIRST_USB_DISK_PORT = 2;
const PORT = { KEYBOARD: 0, TABLET: 1, FIRST_DISK: FIRST_USB_DISK_PORT } as const;

export class UsbPorts {
  readonly controller: Xhci;
  readonly keyboard = new UsbKeyboard();
  readonly tablet = new UsbTablet();
  readonly #deliver: BoardServices["deliver"];
  /** Names of disks by port. */
  readonly #disks = new Map<number, string>();

  constructor(services: BoardServices) {
    this.#deliver = services.deliver;
    this.controller = new Xhci(services);
    this.controller.plug("usb-keyboard", PORT.KEYBOARD, this.keyboard);
    this.controller.plug("usb-tablet", PORT.TABLET, this.tablet);
  }

  get hasRoom(): boolean {
    return this.#freePort < USB2_PORTS;
  }

  /** Plugs a disk into the first free port; there has to be one. */
  plug({ id, backend, onError }: DiskPart): void {
    const port = this.#freePort;
    const disk = new MassStorage({ id, disk: backend, deliver: this.#deliver, onError });
    this.controller.plug(deviceName(id), port, disk);
    this.#disks.set(port, id);
  }

  /** Pulls a disk out; what the guest has not written yet is lost, as with any stick. False when there is none of that id. */
  unplug(id: string): boolean {
    for (const [port, name] of this.#disks) if (name === id) this.#disks.delete(port);
    return this.controller.unplug(deviceName(id));
  }

  get #freePort(): number {
    let port: number = PORT.FIRST_DISK;
    while (this.#disks.has(port)) port++;
    return port;
  }
}

function deviceName(id: string): string {
  return `usb-storage-${id}`;
}
