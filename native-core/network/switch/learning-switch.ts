// An Ethernet switch between the adapters of several machines (IEEE 802.1D, without spanning tree: there are no loops to have).
import type { Frame, FrameReceiver } from "../frame.ts";
import { isGroupAddress } from "../packets/ethernet.ts";

/** Addresses that one port may have: a machine with bridges of its own has several, one that floods the table gets no more. */
const MAX_ADDRESSES_PER_PORT = 64;

export interface SwitchPort {
  /** A frame from the machine at this port. */
  send(frame: Frame): void;
  unplug(): void;
}

interface Port {
  readonly receiver: FrameReceiver;
  readonly addresses: Set<number>;
}

export class LearningSwitch {
  readonly #ports = new Set<Port>();
  /** Which port an address was last seen at. */
  readonly #table = new Map<number, Port>();

  get portCount(): number {
    return this.#ports.size;
  }

  plug(receiver: FrameReceiver): SwitchPort {
    const port: Port = { receiver, addresses: new Set() };
    this.#ports.add(port);
    return {
      send: (frame) => this.#forward(port, frame),
      unplug: () => {
        this.#ports.delete(port);
        for (const address of port.addresses) if (this.#table.get(address) === port) this.#table.delete(address);
      },
    };
  }

  #forward(from: Port, frame: Frame): void {
    const { bytes } = frame;
    if (bytes.length < 14 || !this.#ports.has(from)) return;
    if (!isGroupAddress(bytes, 6)) this.#learn(from, macNumber(bytes, 6));
    const known = isGroupAddress(bytes) ? undefined : this.#table.get(macNumber(bytes, 0));
    if (known === from) return;
    if (known) known.receiver.receive(frame);
    else for (const port of this.#ports) if (port !== from) port.receiver.receive(frame);
  }

  #learn(port: Port, address: number): void {
    const known = this.#table.get(address);
    if (known === port) return;
    if (port.addresses.size >= MAX_ADDRESSES_PER_PORT) return;
    known?.addresses.delete(address);
    port.addresses.add(address);
    this.#table.set(address, port);
  }
}

/** 48 bits fit a number exactly. */
function macNumber(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
