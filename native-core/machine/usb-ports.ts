// What is plugged into the USB controller: a keyboard and a tablet from the start, disks that come and go.

import { UsbKeyboard } from "../devices/usb/keyboard.ts";
import { MassStorage } from "../devices/usb/mass-storage.ts";
import { UsbTablet } from "../devices/usb/tablet.ts";
import { USB2_PORTS } from "../devices/xhci/registers.ts";
import { Xhci } from "../devices/xhci/xhci.ts";
import type { BoardServices } from "./board.ts";
import type { DiskPart } from "./cards.ts";

const PORT = { KEYBOARD: 0, TABLET: 1, FIRST_DISK: 2 } as const;

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

  /** Plugs a disk into the first free port; false when there is none. */
  plug({ id, backend, onError }: DiskPart): boolean {
    for (let port: number = PORT.FIRST_DISK; port < USB2_PORTS; port++) {
      if (this.#disks.has(port)) continue;
      this.#disks.set(port, id);
      const disk = new MassStorage({ id, disk: backend, deliver: this.#deliver, onError });
      this.controller.plug(deviceName(id), port, disk);
      return true;
    }
    return false;
  }

  /** Pulls a disk out; what the guest has not written yet is lost, as with any stick. False when there is none of that id. */
  unplug(id: string): boolean {
    for (const [port, name] of this.#disks) if (name === id) this.#disks.delete(port);
    return this.controller.unplug(deviceName(id));
  }
}

function deviceName(id: string): string {
  return `usb-storage-${id}`;
}
