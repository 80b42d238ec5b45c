// virtio-net (virtio 1.2 5.1): an Ethernet adapter with one queue pair, checksum and segmentation offload both ways, mergeable receive
// buffers and a control queue.
//
//   guest --transmit queue--> backend (host/network)        backend --ReceiveQueue--> receive queue --> guest
//
// Nothing is in flight between two notifications: frames out are copied at once, and receive chains are taken only when they suffice.
import { z } from "zod";
import { type Frame, MAX_OFFLOAD_FRAME_BYTES } from "../../../network/frame.ts";
import { cut, withChecksum } from "../../../network/offload.ts";
import { ETHER_TYPE, ETHERNET_HEADER_BYTES, etherType } from "../../../network/packets/ethernet.ts";
import type { AccessSize } from "../../device.ts";
import type { NetworkAdapter, NetworkAdapterOptions } from "../../network/adapter.ts";
import { NetworkPort } from "../../network/port.ts";
import type { ReceiveQueue } from "../../network/receive-queue.ts";
import { bytes, flag, u64 } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import type { Virtqueue } from "../virtqueue.ts";
import {
  CONFIG_LENGTH,
  CONTROL_QUEUE,
  GUEST_OFFLOADS,
  NET_FEATURES,
  netConfig,
  QUEUE_SIZES,
  RECEIVE_QUEUE,
  setConfigStatus,
  TRANSMIT_QUEUE,
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_MRG_RXBUF,
} from "./config.ts";
import { CTRL_CLASS, CTRL_ERR, CTRL_MAC, CTRL_MAX_BYTES, CTRL_OK, parseMacTables } from "./control.ts";
import { frameFromGuest, NET_HEADER_BYTES, NUM_BUFFERS_OFFSET, putHeader } from "./header.ts";
import { ReceiveFilter, receiveFilterStateSchema } from "./receive-filter.ts";

const netStateSchema = z.object({
  mac: bytes(6),
  filter: receiveFilterStateSchema,
  /** Offloads the driver switched at run time; null while they are as negotiated. */
  guestOffloads: u64.nullable(),
  linkUp: flag,
});
type VirtioNetState = z.infer<typeof netStateSchema>;

export class VirtioNet implements VirtioModel<VirtioNetState>, NetworkAdapter {
  readonly deviceId = DEVICE_ID.NETWORK;
  readonly pciClass = 0x0200;
  readonly features = NET_FEATURES;
  readonly queueSizes = QUEUE_SIZES;
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = netStateSchema;
  readonly #port: NetworkPort;
  readonly #factoryMac: Uint8Array;
  readonly #config: Uint8Array;
  readonly #filter = new ReceiveFilter();
  readonly #mac = new Uint8Array(6);
  readonly #header = new Uint8Array(NET_HEADER_BYTES);
  #announce = false;
  #guestOffloads: bigint | undefined;
  #services!: VirtioTransportServices;

  constructor(options: NetworkAdapterOptions) {
    this.#factoryMac = options.mac;
    this.#mac.set(options.mac);
    this.#config = netConfig(options.mac);
    this.#port = new NetworkPort(options, {
      place: (frame) => this.#place(frame),
      placed: () => {
        const queue = this.#services.queues[RECEIVE_QUEUE];
        if (queue) this.#services.signal(queue);
      },
      linkChanged: () => this.#statusChanged(),
    });
    setConfigStatus(this.#config, options.linkUp, false);
  }

  // Host side

  get end(): ReceiveQueue {
    return this.#port.end;
  }

  setLink(up: boolean): void {
    this.#port.setLink(up);
  }

  // Driver side

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  /** The address is set through the control queue by every driver that negotiated VERSION_1. */
  writeConfig(): void {}

  notified(queueIndex: number): void {
    if (queueIndex === TRANSMIT_QUEUE) this.#transmit();
    else if (queueIndex === RECEIVE_QUEUE) this.end.drain();
    else if (queueIndex === CONTROL_QUEUE) this.#control();
  }

  reset(): void {
    this.end.clear();
    this.#filter.reset();
    this.#mac.set(this.#factoryMac);
    this.#guestOffloads = undefined;
    this.#announce = false;
    setConfigStatus(this.#config, this.#port.linkUp, false);
  }

  save(): VirtioNetState {
    return {
      mac: this.#mac.slice(),
      filter: this.#filter.save(),
      guestOffloads: this.#guestOffloads ?? null,
      linkUp: this.#port.linkUp,
    };
  }

  restore(state: VirtioNetState): void {
    this.#mac.set(state.mac);
    this.#filter.restore(state.filter);
    this.#guestOffloads = state.guestOffloads === null ? undefined : state.guestOffloads & GUEST_OFFLOADS;
  }

  /** The network around the guest is a new one: the driver looks at the link again and says where it is (RFC 5944-like announcement). */
  resume(): void {
    this.#announce = (this.#services.features & VIRTIO_NET_F_GUEST_ANNOUNCE) !== 0n && this.#port.linkUp;
    this.#statusChanged();
  }

  #statusChanged(): void {
    setConfigStatus(this.#config, this.#port.linkUp, this.#announce);
    this.#services.configChanged();
  }

  #transmit(): void {
    const queue = this.#services.queues[TRANSMIT_QUEUE];
    if (!queue) return;
    let sent = false;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      const frame = this.#frameOf(chain);
      queue.push(chain, 0);
      if (frame && this.#port.send(frame)) sent = true;
    }
    this.#services.signal(queue);
    if (sent) this.#port.flush();
  }

  #frameOf(chain: DescriptorChain): Frame | undefined {
    const length = chain.readableBytes - NET_HEADER_BYTES;
    if (length < ETHERNET_HEADER_BYTES || length > MAX_OFFLOAD_FRAME_BYTES) return undefined;
    chain.read(0, this.#header);
    const data = new Uint8Array(length);
    chain.read(NET_HEADER_BYTES, data);
    return frameFromGuest(this.#header, data, this.#services.features);
  }

  /** Whether the guest takes large TCP segments of this frame's kind. */
  #takes(frame: Frame): boolean {
    const offloads = this.#guestOffloads ?? this.#services.features;
    if (frame.segmentBytes === 0) return frame.checksumStart === 0 || (offloads & VIRTIO_NET_F_GUEST_CSUM) !== 0n;
    const tso = etherType(frame.bytes) === ETHER_TYPE.IPV6 ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_GUEST_TSO4;
    return (offloads & tso) !== 0n;
  }

  #place(frame: Frame): boolean {
    const queue = this.#services.queues[RECEIVE_QUEUE];
    // Without a driver, without cable, or for somebody else: gone, as on a real adapter.
    if (!queue?.setup.enabled || !this.#services.running || !this.#port.linkUp) return true;
    if (!this.#filter.accepts(frame.bytes, this.#mac)) return true;
    if (this.#takes(frame)) return this.#placeOne(queue, frame);
    if (frame.segmentBytes === 0) return this.#placeOne(queue, withChecksum(frame));
    // Its packets go in together or not at all, so that none comes twice.
    const parts = cut(frame);
    if (queue.available < parts.length && parts.length <= queue.setup.size) return false;
    for (const part of parts) this.#placeOne(queue, part);
    return true;
  }

  /** False when the buffers don't suffice yet. A frame that can never fit is dropped. */
  #placeOne(queue: Virtqueue, frame: Frame): boolean {
    const wanted = NET_HEADER_BYTES + frame.bytes.length;
    const mergeable = (this.#services.features & VIRTIO_NET_F_MRG_RXBUF) !== 0n;
    const chains: DescriptorChain[] = [];
    let room = 0;
    while (room < wanted) {
      const chain = queue.pop();
      if (!chain) {
        queue.putBack(chains);
        return !this.#services.running;
      }
      chains.push(chain);
      room += chain.writableBytes;
      if (!mergeable && room < wanted) {
        // The driver's buffers are too small for this frame: it gets them back empty-handed.
        queue.putBack(chains);
        return true;
      }
    }
    const [first, ...others] = chains;
    if (!first || first.writableBytes < NET_HEADER_BYTES) {
      this.#services.broken("a receive buffer has no room for the header");
      return true;
    }
    putHeader(this.#header, frame);
    this.#header[NUM_BUFFERS_OFFSET] = chains.length & 0xff;
    this.#header[NUM_BUFFERS_OFFSET + 1] = chains.length >>> 8;
    first.write(0, this.#header);
    let done = Math.min(frame.bytes.length, first.writableBytes - NET_HEADER_BYTES);
    first.write(NET_HEADER_BYTES, frame.bytes.subarray(0, done));
    const parts = [{ chain: first, written: NET_HEADER_BYTES + done }];
    for (const chain of others) {
      const written = Math.min(frame.bytes.length - done, chain.writableBytes);
      chain.write(0, frame.bytes.subarray(done, done + written));
      parts.push({ chain, written });
      done += written;
    }
    queue.pushAll(parts);
    return true;
  }

  // Control queue

  #control(): void {
    const queue = this.#services.queues[CONTROL_QUEUE];
    if (!queue) return;
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      let answer: number = CTRL_ERR;
      if (chain.readableBytes >= 2 && chain.readableBytes <= CTRL_MAX_BYTES) {
        const command = new Uint8Array(chain.readableBytes);
        chain.read(0, command);
        if (this.#command(command[0] as number, command[1] as number, command.subarray(2))) answer = CTRL_OK;
      }
      if (chain.writableBytes > 0) chain.write(0, Uint8Array.of(answer));
      queue.push(chain, Math.min(1, chain.writableBytes));
    }
    this.#services.signal(queue);
  }

  #command(group: number, command: number, data: Uint8Array): boolean {
    switch (group) {
      case CTRL_CLASS.RX:
        return data.length >= 1 && this.#filter.setMode(command, data[0] !== 0);
      case CTRL_CLASS.MAC:
        return this.#setAddresses(command, data);
      case CTRL_CLASS.ANNOUNCE:
        this.#announce = false;
        setConfigStatus(this.#config, this.#port.linkUp, false);
        return true;
      case CTRL_CLASS.GUEST_OFFLOADS: {
        if (!(this.#services.features & VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || data.length < 8) return false;
        const offloads = new DataView(data.buffer, data.byteOffset, 8).getBigUint64(0, true);
        if (offloads & ~(this.#services.features & GUEST_OFFLOADS)) return false;
        this.#guestOffloads = offloads;
        return true;
      }
      default:
        return false;
    }
  }

  #setAddresses(command: number, data: Uint8Array): boolean {
    if (command === CTRL_MAC.ADDR_SET && data.length >= 6) {
      this.#mac.set(data.subarray(0, 6));
      return true;
    }
    const tables = command === CTRL_MAC.TABLE_SET ? parseMacTables(data) : undefined;
    if (tables) this.#filter.setTables(...tables);
    return tables !== undefined;
  }
}
