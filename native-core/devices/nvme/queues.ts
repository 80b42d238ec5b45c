// Submission and completion queues (NVMe 1.4, 4.1): rings in guest memory, of which the controller holds place, size and positions.
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { bytes, flag, u16 } from "../state-schema.ts";
import { COMPLETION_BYTES, QUEUE_ENTRIES_MAX, SUBMISSION_BYTES } from "./registers.ts";

const address = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const size = z.int().min(2).max(4096);

export const submissionStateSchema = z.strictObject({
  id: u16,
  base: address,
  size,
  head: u16,
  tail: u16,
  completionQueue: u16,
  /** Commands that were taken and not answered yet, as they were fetched. */
  inFlight: z.array(bytes(SUBMISSION_BYTES)).max(QUEUE_ENTRIES_MAX),
});
export type SubmissionState = z.infer<typeof submissionStateSchema>;

export const completionStateSchema = z.strictObject({
  id: u16,
  base: address,
  size,
  head: u16,
  tail: u16,
  phase: flag,
  vector: u16,
  interrupts: flag,
  /** Answers for which the queue had no room. */
  waiting: z.array(bytes(COMPLETION_BYTES)).max((QUEUE_ENTRIES_MAX + 1) * 9),
});
export type CompletionState = z.infer<typeof completionStateSchema>;

/** A command as the driver wrote it. */
export class Command {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(entry: Uint8Array) {
    this.bytes = entry;
    this.#view = new DataView(entry.buffer, entry.byteOffset, entry.length);
  }

  /** Double word 0..15. */
  word(index: number): number {
    return this.#view.getUint32(index * 4, true);
  }

  /** 64 bits at double word `index`; beyond 2^53 imprecise, but never small. */
  long(index: number): number {
    return this.word(index) + this.word(index + 1) * 2 ** 32;
  }

  get opcode(): number {
    return this.bytes[0] ?? 0;
  }

  get id(): number {
    return this.#view.getUint16(2, true);
  }

  get namespace(): number {
    return this.word(1);
  }
}

export class SubmissionQueue {
  readonly id: number;
  readonly completionQueue: number;
  readonly inFlight = new Set<Command>();
  readonly #memory: GuestMemory;
  readonly #base: number;
  readonly #size: number;
  head = 0;
  #tail = 0;

  constructor(memory: GuestMemory, parts: Pick<SubmissionState, "id" | "base" | "size" | "completionQueue">) {
    this.#memory = memory;
    this.id = parts.id;
    this.completionQueue = parts.completionQueue;
    this.#base = parts.base;
    this.#size = parts.size;
  }

  /** The doorbell. A place outside the ring is ignored. */
  set tail(value: number) {
    if (value < this.#size) this.#tail = value;
  }

  /** Takes the next command. A driver can't have more commands under way than its ring has entries. */
  take(): Command | undefined {
    if (this.head === this.#tail || this.inFlight.size >= this.#size) return undefined;
    const entry = new Uint8Array(SUBMISSION_BYTES);
    this.#memory.read(this.#base + this.head * SUBMISSION_BYTES, entry);
    this.head = (this.head + 1) % this.#size;
    const command = new Command(entry);
    this.inFlight.add(command);
    return command;
  }

  save(): SubmissionState {
    return {
      ...{ id: this.id, base: this.#base, size: this.#size, completionQueue: this.completionQueue },
      ...{ head: this.head, tail: this.#tail },
      inFlight: [...this.inFlight].map((command) => command.bytes.slice()),
    };
  }

  restore(state: SubmissionState): void {
    this.head = state.head % this.#size;
    this.#tail = state.tail % this.#size;
    for (const entry of state.inFlight) this.inFlight.add(new Command(entry.slice()));
  }
}

export class CompletionQueue {
  readonly id: number;
  readonly vector: number;
  readonly interrupts: boolean;
  readonly #memory: GuestMemory;
  readonly #base: number;
  readonly #size: number;
  #head = 0;
  #tail = 0;
  #phase = true;
  #waiting: Uint8Array[] = [];
  /** Something was put into the ring since `takeNews`. */
  #news = false;

  constructor(memory: GuestMemory, parts: Pick<CompletionState, "id" | "base" | "size" | "vector" | "interrupts">) {
    this.#memory = memory;
    this.id = parts.id;
    this.vector = parts.vector;
    this.interrupts = parts.interrupts;
    this.#base = parts.base;
    this.#size = parts.size;
  }

  /** Answers that the driver has not taken yet: what the interrupt pin shows. */
  get pending(): boolean {
    return this.#head !== this.#tail;
  }

  /** No answer waits for room: more commands may be taken. */
  get hasRoom(): boolean {
    return this.#waiting.length === 0;
  }

  /** The doorbell. */
  set head(value: number) {
    if (value >= this.#size) return;
    this.#head = value;
    for (let next = this.#waiting[0]; next && !this.#full; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#put(next);
    }
  }

  /** Answers a command (4.6): `result` is double word 0, `status` without phase. */
  post(queue: SubmissionQueue, commandId: number, status: number, result = 0): void {
    const entry = new Uint8Array(COMPLETION_BYTES);
    const view = new DataView(entry.buffer);
    view.setUint32(0, result, true);
    view.setUint16(8, queue.head, true);
    view.setUint16(10, queue.id, true);
    view.setUint16(12, commandId, true);
    view.setUint16(14, status << 1, true);
    if (this.#full || !this.hasRoom) this.#waiting.push(entry);
    else this.#put(entry);
  }

  takeNews(): boolean {
    const news = this.#news;
    this.#news = false;
    return news;
  }

  save(): CompletionState {
    return {
      ...{ id: this.id, base: this.#base, size: this.#size, vector: this.vector, interrupts: this.interrupts },
      ...{ head: this.#head, tail: this.#tail, phase: this.#phase },
      waiting: this.#waiting.map((entry) => entry.slice()),
    };
  }

  restore(state: CompletionState): void {
    this.#head = state.head % this.#size;
    this.#tail = state.tail % this.#size;
    this.#phase = state.phase;
    this.#waiting = state.waiting.map((entry) => entry.slice());
  }

  get #full(): boolean {
    return (this.#tail + 1) % this.#size === this.#head;
  }

  #put(entry: Uint8Array): void {
    const phased = entry.slice();
    // The phase tag, bit 0 of the last half, turns over with each round through the ring.
    phased[14] = ((phased[14] ?? 0) & ~1) | (this.#phase ? 1 : 0);
    this.#memory.write(this.#base + this.#tail * COMPLETION_BYTES, phased);
    this.#tail = (this.#tail + 1) % this.#size;
    if (this.#tail === 0) this.#phase = !this.#phase;
    this.#news = true;
  }
}
