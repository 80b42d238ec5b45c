// virtio-9p (virtio 1.2 5.15): the folders that the host shares, as a 9P2000.L server behind one queue. A chain is a request and room for
// its answer; data of reads and writes moves between the host's files and guest memory without a copy, while the vCPU goes on.
//
//   configuration  tag_len:u16 tag[tag_len]     what the guest mounts
//
// Requests that were in flight when the state was saved are carried out again after restore; the host waits for their end before it
// saves, so that there are none as a rule. A reset can't stop them: `draining` tells as long as they use guest memory.
import type { z } from "zod";
import type { AccessSize } from "../../device.ts";
import type { DmaBuffer } from "../../dma-buffer.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import type { FileShare } from "./file-share.ts";
import { ERROR_BYTES, HEADER_BYTES } from "./protocol.ts";
import type { RequestMemory } from "./request.ts";
import { messageBytesOf, P9Server, serverStateSchema } from "./server.ts";

const VIRTIO_9P_MOUNT_TAG = 1n << 0n;
/** Linux makes requests of as many pieces as this, less three. */
const QUEUE_SIZE = 128;
/** Answered at once for one notification: the rest goes the other way, so that a full queue does not stop the guest. */
const NOW_BUDGET_BYTES = 1 << 20;
/** Of that, what a request without data takes. */
const REQUEST_COST_BYTES = 8 << 10;

type VirtioP9State = z.infer<typeof serverStateSchema>;

export interface VirtioP9Options {
  /** What the guest mounts it by. */
  readonly tag: string;
  readonly shares: readonly FileShare[];
  readonly nowMs: () => number;
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
}

export class VirtioP9 implements VirtioModel<VirtioP9State> {
  readonly deviceId = DEVICE_ID.P9;
  readonly pciClass = 0x0002;
  readonly features = VIRTIO_9P_MOUNT_TAG;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configLength: number;
  readonly stateSchema = serverStateSchema;
  readonly #config: Uint8Array;
  readonly #options: VirtioP9Options;
  readonly #server = new P9Server();
  #services!: VirtioTransportServices;
  /** Counts resets: an answer to an earlier driver is not this one's business. */
  #epoch = 0;
  #inFlight = 0;
  /** Requests of earlier epochs whose end has not come here yet. */
  #orphans = 0;
  /** Of this notification, what may still be carried out on the vCPU's time. */
  #nowBudget = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: VirtioP9Options) {
    this.#options = options;
    const tag = new TextEncoder().encode(options.tag);
    this.#config = Uint8Array.of(tag.length & 0xff, tag.length >> 8, ...tag);
    this.configLength = this.#config.length;
    void this.#server.setShares(options.shares, options.nowMs());
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  // Host side

  /** Other shared folders from now on. Settles when files in those that are gone are closed. */
  setShares(shares: readonly FileShare[]): Promise<void> {
    return this.#server.setShares(shares, this.#options.nowMs());
  }

  /** Settles when the host has carried out and delivered everything; the vCPUs stand still meanwhile. */
  async drain(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  // Driver side

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  writeConfig(): void {}

  notified(): void {
    const queue = this.#services.queues[0];
    if (!queue) return;
    this.#nowBudget = NOW_BUDGET_BYTES;
    // What an earlier driver has begun comes to rest first, so that an old write does not land after a new one.
    while (this.#services.running && this.#orphans === 0) {
      const chain = queue.pop();
      if (!chain) break;
      this.#submit(chain);
    }
  }

  get draining(): boolean {
    return this.#orphans > 0;
  }

  reset(): void {
    this.#cutOff();
    void this.#server.reset();
  }

  queueReset(): void {
    this.#cutOff();
  }

  save(): VirtioP9State {
    return this.#server.save();
  }

  restore(state: VirtioP9State): void {
    this.#server.restore(state);
  }

  resume(): void {
    for (const chain of this.#services.queues[0]?.takeInterrupted() ?? []) {
      if (!this.#services.running) return;
      this.#submit(chain);
    }
    this.notified();
  }

  dispose(): void {
    void this.#server.reset();
  }

  #cutOff(): void {
    this.#epoch++;
    this.#orphans += this.#inFlight;
    this.#inFlight = 0;
  }

  #submit(chain: DescriptorChain): void {
    if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < ERROR_BYTES) {
      this.#services.broken(`request ${chain.head} has no room for header and answer`);
      return;
    }
    const transfers: DmaBuffer[] = [];
    const memory: RequestMemory = {
      message: messageOf(chain),
      messageBytes: chain.readableBytes,
      answerBytes: chain.writableBytes,
      source: (offset, length) => chain.source(offset, length),
      target: (offset, length) => {
        const transfer = chain.target(offset, length);
        transfers.push(transfer);
        return transfer;
      },
    };
    const reply = this.#nowBudget > 0 ? this.#server.answerNow(memory) : undefined;
    if (reply) {
      this.#nowBudget -= reply.dataBytes + REQUEST_COST_BYTES;
      for (const transfer of transfers) transfer.finish();
      return this.#answer(chain, reply.bytes, reply.dataBytes);
    }
    this.#inFlight++;
    const work = this.#carryOut(chain, memory, transfers).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #carryOut(chain: DescriptorChain, memory: RequestMemory, transfers: readonly DmaBuffer[]): Promise<void> {
    const epoch = this.#epoch;
    const { bytes, dataBytes } = await this.#server.handle(memory);
    this.#options.deliver(() => {
      const isCutOff = epoch !== this.#epoch;
      for (const transfer of transfers) transfer.finish(isCutOff);
      if (!isCutOff) {
        this.#inFlight--;
        this.#answer(chain, bytes, dataBytes);
      } else if (--this.#orphans === 0) this.notified();
    });
  }

  #answer(chain: DescriptorChain, bytes: Uint8Array, dataBytes: number): void {
    const queue = this.#services.queues[0];
    if (!queue || !this.#services.running) return;
    chain.write(0, bytes);
    queue.push(chain, bytes.length + dataBytes);
    this.#services.signal(queue);
  }
}

function messageOf(chain: DescriptorChain): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  chain.read(0, header);
  const message = new Uint8Array(messageBytesOf(header[4] as number, chain.readableBytes));
  chain.read(0, message);
  return message;
}
