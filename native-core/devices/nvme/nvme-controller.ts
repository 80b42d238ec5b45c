// An NVM Express controller (1.4, as QEMU's: PCI 1b36:0010) with one namespace per disk.
//
//   BAR 0  registers, doorbells from 1000h     BAR 4  MSI-X table
//   queue 0: admin commands     queues 1..8: I/O commands, made by the guest
//
// Commands that were under way when the state was saved are part of it as they were fetched, and are executed once more after restore:
// all of them may run twice.
import { z } from "zod";
import type { Device, GuestMemory } from "../device.ts";
import type { Msix } from "../pci/msix.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { u8, u32 } from "../state-schema.ts";
import { AdminData, initialFeatures } from "./admin.ts";
import { Namespace, type NvmeDiskParts } from "./namespace.ts";
import {
  type Command,
  CompletionQueue,
  type CompletionState,
  completionStateSchema,
  SubmissionQueue,
  type SubmissionState,
  submissionStateSchema,
} from "./queues.ts";
import {
  ADMIN,
  ASYNC_EVENT_REQUESTS_MAX,
  CAP_HIGH,
  CAP_LOW,
  CC,
  COMPLETION_BYTES,
  CSTS,
  IO_QUEUES,
  PAGE_BYTES,
  QUEUE_ENTRIES_MAX,
  REGISTER,
  STATUS,
  SUBMISSION_BYTES,
  VERSION_1_4,
} from "./registers.ts";

const REGISTER_BAR = 0;
const REGISTER_BAR_BYTES = 0x4000;
const MSIX_BAR = 4;

export interface NvmeParts {
  readonly memory: GuestMemory;
  readonly disks: readonly NvmeDiskParts[];
  readonly deliver: (apply: () => void) => void;
  /** Told while work is under way that the guest polls for. */
  readonly awaitHost?: () => () => void;
}

interface NvmeState {
  pci: PciFunctionState;
  registers: {
    cc: number;
    status: number;
    mask: number;
    aqa: number;
    asq: number;
    asqHigh: number;
    acq: number;
    acqHigh: number;
  };
  features: Record<string, number>;
  submission: SubmissionState[];
  completion: CompletionState[];
}

function initialRegisters(): NvmeState["registers"] {
  return { cc: 0, status: 0, mask: 0, aqa: 0, asq: 0, asqHigh: 0, acq: 0, acqHigh: 0 };
}

export class NvmeController implements Device<NvmeState> {
  readonly name = "nvme";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<NvmeState>;
  readonly pci = new PciFunction({
    ...{ vendorId: 0x1b36, deviceId: 0x0010, classCode: 0x010802, revision: 2 },
    ...{ subsystemVendorId: 0x1af4, subsystemId: 0x1100, interruptPin: 1 },
  });
  readonly #msix: Msix;
  readonly #memory: GuestMemory;
  readonly #parts: NvmeParts;
  readonly #namespaces: readonly Namespace[];
  readonly #admin: AdminData;
  readonly #submission = new Map<number, SubmissionQueue>();
  readonly #completion = new Map<number, CompletionQueue>();
  #registers = initialRegisters();
  /** Requests to be told of events, which stay unanswered. */
  #eventRequests = 0;
  /** Counts resets and restores. */
  #life = 0;
  /** Ends of the waits for work that the guest polls for. */
  readonly #arrivals = new Set<() => void>();
  /** Deletions of queues that wait for the queue's commands. */
  #deletions: { queue: SubmissionQueue; done: () => void }[] = [];

  constructor(parts: NvmeParts) {
    this.#parts = parts;
    this.#memory = parts.memory;
    this.#namespaces = parts.disks.map((disk) => new Namespace(disk, parts.memory, parts.deliver, () => this.#serve()));
    this.#admin = new AdminData(parts.memory, parts.disks[0]?.id ?? "nvme", this.#namespaces);
    this.pci.addBar({
      ...{ index: REGISTER_BAR, kind: "memory", width: 64, sizeBytes: REGISTER_BAR_BYTES },
      handler: {
        read: (offset, size) => (size === 4 && offset % 4 === 0 ? this.#read(offset) >>> 0 : 0),
        write: (offset, size, value) => {
          if (size === 4 && offset % 4 === 0) this.#write(offset, value);
        },
      },
    });
    this.#msix = this.pci.addMsix(MSIX_BAR, IO_QUEUES + 1);
    const registers = Object.fromEntries(Object.keys(this.#registers).map((name) => [name, u32]));
    this.stateSchema = z.strictObject({
      pci: this.pci.stateSchema,
      registers: z.strictObject(registers) as unknown as z.ZodType<NvmeState["registers"]>,
      features: z.record(z.string().regex(/^\d{1,3}$/), u32),
      submission: z.array(submissionStateSchema.extend({ id: u8.max(IO_QUEUES) })).max(IO_QUEUES + 1),
      completion: z.array(completionStateSchema.extend({ id: u8.max(IO_QUEUES) })).max(IO_QUEUES + 1),
    });
  }

  /** A reset waits for what still moves data. */
  get draining(): boolean {
    return this.#namespaces.some(({ requests }) => requests.draining);
  }

  reset(): void {
    this.pci.reset();
    this.#registers = initialRegisters();
    this.#admin.features = initialFeatures();
    this.#stop();
  }

  save(): NvmeState {
    return {
      pci: this.pci.save(),
      registers: { ...this.#registers },
      features: { ...this.#admin.features },
      submission: [...this.#submission.values()].map((queue) => queue.save()),
      completion: [...this.#completion.values()].map((queue) => queue.save()),
    };
  }

  restore(state: NvmeState): void {
    this.#stop();
    const life = this.#life;
    this.pci.restore(state.pci);
    this.#registers = { ...state.registers };
    this.#admin.features = { ...state.features };
    for (const saved of state.completion) {
      const queue = new CompletionQueue(this.#memory, saved);
      queue.restore(saved);
      this.#completion.set(saved.id, queue);
    }
    for (const saved of state.submission) {
      if (!this.#completion.has(saved.completionQueue)) continue;
      const queue = new SubmissionQueue(this.#memory, saved);
      queue.restore(saved);
      this.#submission.set(saved.id, queue);
    }
    this.#updatePin();
    this.#parts.deliver(() => {
      if (life !== this.#life) return;
      for (const queue of this.#submission.values()) {
        for (const command of [...queue.inFlight]) this.#execute(queue, command);
      }
      if (this.#shutdownBegun) this.#shutDown();
      this.#serve();
    });
  }

  dispose(): void {
    this.pci.dispose();
  }

  // Registers

  #read(offset: number): number {
    const r = this.#registers;
    switch (offset) {
      case REGISTER.CAP:
        return CAP_LOW;
      case REGISTER.CAP_HIGH:
        return CAP_HIGH;
      case REGISTER.VS:
        return VERSION_1_4;
      case REGISTER.INTMS:
      case REGISTER.INTMC:
        return r.mask;
      case REGISTER.CC:
        return r.cc;
      case REGISTER.CSTS:
        return r.status | (this.#enabled || this.draining ? CSTS.READY : 0);
      case REGISTER.AQA:
        return r.aqa;
      case REGISTER.ASQ:
        return r.asq;
      case REGISTER.ASQ_HIGH:
        return r.asqHigh;
      case REGISTER.ACQ:
        return r.acq;
      case REGISTER.ACQ_HIGH:
        return r.acqHigh;
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const r = this.#registers;
    if (offset >= REGISTER.DOORBELLS) return this.#ring((offset - REGISTER.DOORBELLS) / 4, value & 0xffff);
    switch (offset) {
      case REGISTER.INTMS:
        r.mask = (r.mask | value) >>> 0;
        return this.#updatePin();
      case REGISTER.INTMC:
        r.mask = (r.mask & ~value) >>> 0;
        return this.#updatePin();
      case REGISTER.CC:
        return this.#configure(value);
    }
    if (r.cc & CC.ENABLE) return;
    switch (offset) {
      case REGISTER.AQA:
        r.aqa = value & 0x0fff_0fff;
        break;
      case REGISTER.ASQ:
        r.asq = (value & -PAGE_BYTES) >>> 0;
        break;
      case REGISTER.ASQ_HIGH:
        r.asqHigh = value;
        break;
      case REGISTER.ACQ:
        r.acq = (value & -PAGE_BYTES) >>> 0;
        break;
      case REGISTER.ACQ_HIGH:
        r.acqHigh = value;
        break;
    }
  }

  get #enabled(): boolean {
    return (this.#registers.cc & CC.ENABLE) !== 0 && (this.#registers.status & CSTS.FATAL) === 0;
  }

  get #shutdownBegun(): boolean {
    const { cc, status } = this.#registers;
    return (cc & CC.SHUTDOWN) !== 0 && (status & CSTS.SHUTDOWN_DONE) === 0;
  }

  #configure(value: number): void {
    const r = this.#registers;
    const before = r.cc;
    r.cc = value;
    if (before & CC.ENABLE && !(value & CC.ENABLE)) {
      // 3.1.5: everything but the admin queue's registers starts over.
      r.status = 0;
      r.mask = 0;
      this.#admin.features = initialFeatures();
      this.#stop();
    } else if (!(before & CC.ENABLE) && value & CC.ENABLE) this.#start();
    if (!(before & CC.SHUTDOWN) && value & CC.SHUTDOWN) this.#shutDown();
  }

  #start(): void {
    const { aqa, asq, asqHigh, acq, acqHigh, cc } = this.#registers;
    const submission = { id: 0, base: asqHigh * 2 ** 32 + asq, size: (aqa & 0xfff) + 1, completionQueue: 0 };
    const completion = { id: 0, base: acqHigh * 2 ** 32 + acq, size: (aqa >>> 16) + 1, vector: 0, interrupts: true };
    const fits = this.#fits(submission, SUBMISSION_BYTES) && this.#fits(completion, COMPLETION_BYTES);
    if (!fits || cc & CC.PAGE_SIZE) {
      this.#registers.status = CSTS.FATAL;
      return;
    }
    this.#registers.status = 0;
    this.#completion.set(0, new CompletionQueue(this.#memory, completion));
    this.#submission.set(0, new SubmissionQueue(this.#memory, submission));
  }

  #stop(): void {
    this.#life++;
    for (const { requests } of this.#namespaces) requests.reset();
    for (const arrived of [...this.#arrivals]) arrived();
    this.#submission.clear();
    this.#completion.clear();
    this.#deletions = [];
    this.#eventRequests = 0;
    this.#updatePin();
  }

  /** What was written is to survive: the guest waits for SHST. */
  #shutDown(): void {
    const life = this.#life;
    const flushes = this.#namespaces.filter(({ disk }) => !disk.readOnly).map(({ disk }) => disk.flush());
    void Promise.allSettled(flushes).then(() =>
      this.#parts.deliver(() => {
        if (life === this.#life) this.#registers.status |= CSTS.SHUTDOWN_DONE;
      }),
    );
  }

  // Queues

  #ring(doorbell: number, value: number): void {
    const id = doorbell >> 1;
    if (doorbell & 1) {
      const queue = this.#completion.get(id);
      if (queue) queue.head = value;
    } else {
      const queue = this.#submission.get(id);
      if (queue) queue.tail = value;
      for (const { requests } of this.#namespaces) requests.notified();
    }
    this.#serve();
  }

  /** Takes what the queues hold, as far as there is room, and tells the driver of what has ended. */
  #serve(): void {
    if (this.pci.busMaster && this.#enabled) {
      for (const queue of this.#submission.values()) this.#drain(queue);
    }
    for (const queue of this.#completion.values()) {
      if (queue.takeNews() && queue.interrupts && this.#msix.enabled) this.#msix.notify(queue.vector);
    }
    this.#updatePin();
  }

  #drain(queue: SubmissionQueue): void {
    const answers = this.#completion.get(queue.completionQueue);
    // A guest that goes on writing commands gets no more than a ring full of them at a time.
    for (let budget = QUEUE_ENTRIES_MAX; budget > 0; budget--) {
      if (!answers?.hasRoom || this.#namespaces.some(({ requests }) => !requests.hasRoom)) return;
      const command = queue.take();
      if (!command) return;
      this.#execute(queue, command);
    }
  }

  #execute(queue: SubmissionQueue, command: Command): void {
    const answers = this.#completion.get(queue.completionQueue);
    const arrived = queue.id !== 0 && answers && !answers.interrupts ? this.#await() : undefined;
    const done = (status: number, result = 0): void => {
      arrived?.();
      queue.inFlight.delete(command);
      answers?.post(queue, command.id, status, result);
      this.#finishDeletions();
    };
    if (queue.id === 0) return this.#administer(queue, command, done);
    const namespace = this.#namespaces[command.namespace - 1];
    if (namespace) namespace.execute(command, this.#admin.writeCache, done);
    else done(STATUS.INVALID_NAMESPACE);
  }

  #await(): () => void {
    const arrived = this.#parts.awaitHost?.();
    if (!arrived) return () => {};
    const end = (): void => {
      if (this.#arrivals.delete(end)) arrived();
    };
    this.#arrivals.add(end);
    return end;
  }

  #administer(queue: SubmissionQueue, command: Command, done: (status: number, result?: number) => void): void {
    switch (command.opcode) {
      case ADMIN.CREATE_CQ:
        return done(this.#createCompletionQueue(command));
      case ADMIN.CREATE_SQ:
        return done(this.#createSubmissionQueue(command));
      case ADMIN.DELETE_CQ:
        return done(this.#deleteCompletionQueue(command.word(10) & 0xffff));
      case ADMIN.DELETE_SQ: {
        const deleted = this.#submission.get(command.word(10) & 0xffff);
        if (!deleted || deleted === queue) return done(STATUS.INVALID_QUEUE_IDENTIFIER);
        this.#deletions.push({ queue: deleted, done: () => done(STATUS.SUCCESS) });
        return this.#finishDeletions();
      }
      case ADMIN.ASYNC_EVENT_REQUEST:
        // Nothing ever happens that a driver would have to be told: the request stays under way.
        if (this.#eventRequests >= ASYNC_EVENT_REQUESTS_MAX) return done(STATUS.ASYNC_EVENT_LIMIT);
        this.#eventRequests++;
        return;
      default: {
        const answer = this.#admin.execute(command) ?? { status: STATUS.INVALID_OPCODE };
        return done(answer.status, answer.result);
      }
    }
  }

  #createCompletionQueue(command: Command): number {
    const id = command.word(10) & 0xffff;
    const vector = command.word(11) >>> 16;
    if (id === 0 || id > IO_QUEUES || this.#completion.has(id)) return STATUS.INVALID_QUEUE_IDENTIFIER;
    if (vector > IO_QUEUES) return STATUS.INVALID_INTERRUPT_VECTOR;
    const parts = { id, base: command.long(6), size: (command.word(10) >>> 16) + 1, vector };
    const problem = this.#queueProblem(parts, command, COMPLETION_BYTES);
    if (problem !== STATUS.SUCCESS) return problem;
    const interrupts = (command.word(11) & 2) !== 0;
    this.#completion.set(id, new CompletionQueue(this.#memory, { ...parts, interrupts }));
    return STATUS.SUCCESS;
  }

  #createSubmissionQueue(command: Command): number {
    const id = command.word(10) & 0xffff;
    const completionQueue = command.word(11) >>> 16;
    if (id === 0 || id > IO_QUEUES || this.#submission.has(id)) return STATUS.INVALID_QUEUE_IDENTIFIER;
    if (completionQueue === 0 || !this.#completion.has(completionQueue)) return STATUS.COMPLETION_QUEUE_INVALID;
    const parts = { id, base: command.long(6), size: (command.word(10) >>> 16) + 1, completionQueue };
    const problem = this.#queueProblem(parts, command, SUBMISSION_BYTES);
    if (problem === STATUS.SUCCESS) this.#submission.set(id, new SubmissionQueue(this.#memory, parts));
    return problem;
  }

  #deleteCompletionQueue(id: number): number {
    if (id === 0 || !this.#completion.has(id)) return STATUS.INVALID_QUEUE_IDENTIFIER;
    for (const queue of this.#submission.values()) {
      if (queue.completionQueue === id) return STATUS.INVALID_QUEUE_DELETION;
    }
    this.#completion.delete(id);
    return STATUS.SUCCESS;
  }

  #finishDeletions(): void {
    const ready = this.#deletions.filter(({ queue }) => queue.inFlight.size === 0);
    if (ready.length === 0) return;
    this.#deletions = this.#deletions.filter((deletion) => !ready.includes(deletion));
    for (const { queue, done } of ready) {
      this.#submission.delete(queue.id);
      done();
    }
  }

  #queueProblem(parts: { base: number; size: number }, command: Command, entryBytes: number): number {
    if (parts.size < 2 || parts.size > QUEUE_ENTRIES_MAX) return STATUS.INVALID_QUEUE_SIZE;
    const contiguous = (command.word(11) & 1) !== 0;
    return contiguous && this.#fits(parts, entryBytes) ? STATUS.SUCCESS : STATUS.INVALID_FIELD;
  }

  #fits({ base, size }: { base: number; size: number }, entryBytes: number): boolean {
    return size >= 2 && base % PAGE_BYTES === 0 && base + size * entryBytes <= this.#memory.sizeBytes;
  }

  /** The pin shows whether a queue holds answers, for guests without MSI-X. */
  #updatePin(): void {
    const { mask } = this.#registers;
    let level = false;
    for (const queue of this.#completion.values()) {
      if (queue.interrupts && queue.pending && !((mask >>> Math.min(queue.vector, 31)) & 1)) level = true;
    }
    this.pci.setInterrupt(level);
  }
}
