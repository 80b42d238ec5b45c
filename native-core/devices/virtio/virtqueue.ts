// A split virtqueue (virtio 1.2 2.7): descriptors and rings lie in guest memory, this holds the device's side of them.
//
//   driver area  flags:u16 idx:u16 ring:u16[size] used_event:u16          written by the driver
//   device area  flags:u16 idx:u16 {id:u32 len:u32}[size] avail_event:u16 written by the device
//
// Chains that were taken and not yet returned are part of the saved state by their heads: the driver must not touch them until
// they are returned, so after a restore they are read again from memory and simply submitted once more.
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { flag, u16, u64 } from "../state-schema.ts";
import { VIRTIO_MSI_NO_VECTOR, VIRTQ_AVAIL_F_NO_INTERRUPT } from "./constants.ts";
import { type DescriptorChain, readChain } from "./descriptor-chain.ts";

export const virtqueueStateSchema = z.object({
  size: u16,
  enabled: flag,
  descriptorArea: u64,
  driverArea: u64,
  deviceArea: u64,
  msixVector: u16,
  nextAvailable: u16,
  nextUsed: u16,
  signalledUsed: u16,
  inFlight: z.array(u16).max(0x8000),
});
export type VirtqueueState = z.infer<typeof virtqueueStateSchema>;

/** What the driver set up before it enabled the queue: registers of the common configuration. */
export interface VirtqueueSetup {
  size: number;
  enabled: boolean;
  descriptorArea: bigint;
  driverArea: bigint;
  deviceArea: bigint;
  msixVector: number;
}

export interface VirtqueueHost {
  readonly memory: GuestMemory;
  /** Negotiated features that change the ring. */
  readonly eventIndex: boolean;
  readonly indirectDescriptors: boolean;
  /** The driver broke its ring: nothing more is taken from it until the device is reset. */
  broken(reason: string): void;
}

export class Virtqueue {
  readonly maxSize: number;
  readonly setup: VirtqueueSetup;
  /** Counts the lives of the queue. Completions that belong to an earlier one must not reach the ring. */
  generation = 0;
  readonly #host: VirtqueueHost;
  readonly #inFlight = new Set<number>();
  /** Of those, the ones a restore brought and nobody has submitted again yet. */
  #interrupted: readonly number[] = [];
  // Ring positions are free-running 16-bit counters.
  #nextAvailable = 0;
  #nextUsed = 0;
  #signalledUsed = 0;
  // Plain numbers for the hot path; set by enable() after the range check.
  #descriptors = 0;
  #driver = 0;
  #device = 0;

  constructor(host: VirtqueueHost, maxSize: number) {
    this.#host = host;
    this.maxSize = maxSize;
    this.setup = powerOnSetup(maxSize);
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  reset(): void {
    Object.assign(this.setup, powerOnSetup(this.maxSize));
    this.generation++;
    this.#inFlight.clear();
    this.#interrupted = [];
    this.#nextAvailable = 0;
    this.#nextUsed = 0;
    this.#signalledUsed = 0;
  }

  /** Accepts the areas the driver chose, or reports the queue broken. */
  enable(): void {
    const { size, descriptorArea, driverArea, deviceArea } = this.setup;
    const fits = (area: bigint, bytes: number, alignment: bigint) =>
      area % alignment === 0n && area + BigInt(bytes) <= BigInt(this.#host.memory.sizeBytes);
    if (
      size === 0 ||
      size > this.maxSize ||
      (size & (size - 1)) !== 0 ||
      !fits(descriptorArea, 16 * size, 16n) ||
      !fits(driverArea, 6 + 2 * size, 2n) ||
      !fits(deviceArea, 6 + 8 * size, 4n)
    ) {
      this.#host.broken(`queue of ${size} entries is misplaced`);
      return;
    }
    this.#descriptors = Number(descriptorArea);
    this.#driver = Number(driverArea);
    this.#device = Number(deviceArea);
    this.setup.enabled = true;
  }

  /** Chains that `pop` would yield now. */
  get available(): number {
    if (!this.setup.enabled) return 0;
    return (this.#host.memory.readU16(this.#driver + 2) - this.#nextAvailable) & 0xffff;
  }

  /** Takes the next chain the driver made available; undefined when there is none (notifications are then on). */
  pop(): DescriptorChain | undefined {
    const { size, enabled } = this.setup;
    if (!enabled) return undefined;
    const { memory } = this.#host;
    const pending = this.available;
    if (pending === 0) {
      // virtio 1.2 2.7.10: a notification is wanted as soon as the driver adds the next entry.
      if (this.#host.eventIndex) memory.writeU16(this.#device + 4 + 8 * size, this.#nextAvailable);
      return undefined;
    }
    if (pending > size) {
      this.#host.broken(`available index is ${pending} entries ahead in a queue of ${size}`);
      return undefined;
    }
    const head = memory.readU16(this.#driver + 4 + 2 * (this.#nextAvailable & (size - 1)));
    if (this.#inFlight.has(head)) {
      this.#host.broken(`chain ${head} was made available twice`);
      return undefined;
    }
    const chain = this.#read(head);
    if (!chain) return undefined;
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    this.#inFlight.add(head);
    return chain;
  }

  /** Returns a chain to the driver; `written` counts the bytes put into its writable part. */
  push(chain: DescriptorChain, written: number): void {
    if (chain.generation !== this.generation || !this.#inFlight.delete(chain.head)) return;
    const { memory } = this.#host;
    const element = this.#device + 4 + 8 * (this.#nextUsed & (this.setup.size - 1));
    memory.writeU32(element, chain.head);
    memory.writeU32(element + 4, written);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    memory.writeU16(this.#device + 2, this.#nextUsed);
  }

  /** Returns several chains that belong together: the driver sees all of them or none (virtio 1.2 5.1.6.4). */
  pushAll(parts: readonly { readonly chain: DescriptorChain; readonly written: number }[]): void {
    const { memory } = this.#host;
    let next = this.#nextUsed;
    for (const { chain, written } of parts) {
      if (chain.generation !== this.generation || !this.#inFlight.delete(chain.head)) continue;
      const element = this.#device + 4 + 8 * (next & (this.setup.size - 1));
      memory.writeU32(element, chain.head);
      memory.writeU32(element + 4, written);
      next = (next + 1) & 0xffff;
    }
    if (next === this.#nextUsed) return;
    this.#nextUsed = next;
    memory.writeU16(this.#device + 2, next);
  }

  /** Takes back the last `pop`s, newest last, as if they had not been: the chains did not suffice. */
  putBack(chains: readonly DescriptorChain[]): void {
    for (const chain of chains) {
      if (chain.generation !== this.generation || !this.#inFlight.delete(chain.head)) continue;
      this.#nextAvailable = (this.#nextAvailable - 1) & 0xffff;
    }
  }

  /** Whether the driver looks at the used ring again and again instead of asking for interrupts, as firmware does. */
  get isPolled(): boolean {
    if (!this.setup.enabled || this.#host.eventIndex) return false;
    return (this.#host.memory.readU16(this.#driver) & VIRTQ_AVAIL_F_NO_INTERRUPT) !== 0;
  }

  /** Whether the driver wants an interrupt for what was returned since the last call (virtio 1.2 2.7.7, 2.7.10). */
  takeSignal(): boolean {
    if (!this.setup.enabled || this.#nextUsed === this.#signalledUsed) return false;
    const { memory } = this.#host;
    const before = this.#signalledUsed;
    this.#signalledUsed = this.#nextUsed;
    if (!this.#host.eventIndex) return !this.isPolled;
    const usedEvent = memory.readU16(this.#driver + 4 + 2 * this.setup.size);
    return ((this.#nextUsed - usedEvent - 1) & 0xffff) < ((this.#nextUsed - before) & 0xffff);
  }

  /** The chains that were in flight when the state was saved, read again so that they can be submitted once more. Empty after that. */
  takeInterrupted(): DescriptorChain[] {
    const chains: DescriptorChain[] = [];
    const interrupted = this.#interrupted;
    this.#interrupted = [];
    if (!this.setup.enabled) return chains;
    for (const head of interrupted) {
      const chain = this.#read(head);
      if (!chain) break;
      chains.push(chain);
    }
    return chains;
  }

  save(): VirtqueueState {
    return {
      ...this.setup,
      nextAvailable: this.#nextAvailable,
      nextUsed: this.#nextUsed,
      signalledUsed: this.#signalledUsed,
      inFlight: [...this.#inFlight],
    };
  }

  restore(state: VirtqueueState): void {
    this.reset();
    const { nextAvailable, nextUsed, signalledUsed, inFlight, enabled, ...setup } = state;
    Object.assign(this.setup, setup);
    if (enabled) this.enable();
    this.#nextAvailable = nextAvailable;
    this.#nextUsed = nextUsed;
    this.#signalledUsed = signalledUsed;
    for (const head of inFlight) this.#inFlight.add(head);
    this.#interrupted = [...this.#inFlight];
  }

  #read(head: number): DescriptorChain | undefined {
    const { memory, indirectDescriptors: allowIndirect } = this.#host;
    const table = { address: this.#descriptors, entries: this.setup.size, allowIndirect };
    const chain = readChain(memory, table, head, this.generation);
    if (typeof chain !== "string") return chain;
    this.#host.broken(chain);
    return undefined;
  }
}

function powerOnSetup(size: number): VirtqueueSetup {
  return {
    size,
    enabled: false,
    descriptorArea: 0n,
    driverArea: 0n,
    deviceArea: 0n,
    msixVector: VIRTIO_MSI_NO_VECTOR,
  };
}
