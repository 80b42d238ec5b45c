// virtio-scsi (virtio 1.2 5.6): one controller for disks and drives, whose commands are SCSI's (devices/scsi). Targets come and go while
// the driver is told by events.
//
// Requests that were in flight when the state was saved are carried out again after restore: they may run twice.
import { z } from "zod";
import { assert } from "../../../common/assert.ts";
import type { AccessSize } from "../../device.ts";
import type { DiskRequest } from "../../disk-requests.ts";
import { cdRomStateSchema } from "../../scsi/cd-rom.ts";
import type { DiskCommand } from "../../scsi/disk-commands.ts";
import { SCSI, SENSE, type Sense, senseData } from "../../scsi/registers.ts";
import { flag, u8 } from "../../state-schema.ts";
import { DEVICE_ID } from "../constants.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { readConfigBytes, type VirtioModel, type VirtioTransportServices } from "../model.ts";
import {
  CONFIG,
  CONFIG_LENGTH,
  CONTROL,
  DEFAULT_COMMAND_BYTES,
  DEFAULT_SENSE_BYTES,
  EVENT,
  EVENT_BYTES,
  eventOf,
  MAX_REQUEST_BYTES,
  parseLun,
  QUEUE,
  REQUEST_HEADER_BYTES,
  REQUEST_QUEUE_SIZE,
  RESET_REASON,
  RESPONSE,
  RESPONSE_HEADER_BYTES,
  SIDE_QUEUE_SIZE,
  SIZE_MAX_BYTES,
  STATUS,
  scsiConfig,
  TARGETS_MAX,
  TASK_MANAGEMENT,
  VIRTIO_SCSI_F_HOTPLUG,
} from "./protocol.ts";
import { type ScsiPart, ScsiTarget } from "./target.ts";

/** Commands have 6 to 16 bytes; what the driver leaves out is zero. */
const COMMAND_BYTES = 16;
const CONTROL_BYTES_MAX = 24;
/** Peripheral qualifier and type of a unit that is not there (SPC-4 6.6.2). */
const NO_UNIT = 0x7f;

const scsiStateSchema = z.object({
  senseBytes: u8,
  commandBytes: u8,
  eventsMissed: flag,
  /** Of drives, by id. */
  drives: z.record(z.string().max(64), cdRomStateSchema),
});
type VirtioScsiState = z.infer<typeof scsiStateSchema>;

/** An answer to a request: what the driver finds in front of its data. */
interface Answer {
  readonly response: number;
  readonly sense?: Sense;
  /** Of the room for data, what was filled. */
  readonly dataBytes?: number;
}

export interface ScsiHost {
  /** Brings a completion into the machine at a moment the machine chooses (machine/inputs.ts). */
  readonly deliver: (apply: () => void) => void;
  /** Host work began that firmware polls for: the host gets its turn soon until the result is called. */
  readonly awaitHost?: () => () => void;
}

export class VirtioScsi implements VirtioModel<VirtioScsiState> {
  readonly deviceId = DEVICE_ID.SCSI;
  readonly pciClass = 0x0100;
  readonly features = VIRTIO_SCSI_F_HOTPLUG;
  readonly queueSizes = [SIDE_QUEUE_SIZE, SIDE_QUEUE_SIZE, REQUEST_QUEUE_SIZE];
  readonly configLength = CONFIG_LENGTH;
  readonly stateSchema = scsiStateSchema;
  readonly #host: ScsiHost;
  readonly #config = scsiConfig();
  readonly #configView = new DataView(this.#config.buffer);
  readonly #targets = new Map<number, ScsiTarget>();
  /** Taken out, but with requests under way. */
  #leaving: ScsiTarget[] = [];
  /** Task management that waits until the tasks it is about have ended. */
  #waiting: { readonly chain: DescriptorChain; readonly target: ScsiTarget }[] = [];
  #eventsMissed = false;
  #services!: VirtioTransportServices;

  constructor(parts: readonly ScsiPart[], host: ScsiHost) {
    this.#host = host;
    for (const part of parts) this.#add(part);
  }

  attach(services: VirtioTransportServices): void {
    this.#services = services;
  }

  // Host side

  /** Whether there is no disk or drive of that number. */
  isFree(target: number): boolean {
    return target >= 0 && target < TARGETS_MAX && !this.#targets.has(target);
  }

  /** Gives a running guest a disk; its number is free. */
  plug(part: ScsiPart): void {
    this.#add(part);
    this.#tell(part.target, RESET_REASON.RESCAN);
  }

  /** Takes a disk away, as one pulls it out of its bay; what is under way ends. False when there is none of that id. */
  unplug(id: string): boolean {
    for (const target of this.#targets.values()) {
      if (target.id !== id) continue;
      this.#targets.delete(target.number);
      if (target.tasks > 0) this.#leaving.push(target);
      this.#tell(target.number, RESET_REASON.REMOVED);
      return true;
    }
    return false;
  }

  // Driver side

  readConfig(offset: number, size: AccessSize): number {
    return readConfigBytes(this.#config, offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset !== CONFIG.SENSE_SIZE && offset !== CONFIG.CDB_SIZE)) return;
    this.#configView.setUint32(offset, Math.min(value, SIZE_MAX_BYTES), true);
  }

  notified(queueIndex: number): void {
    if (queueIndex === QUEUE.CONTROL) this.#control();
    else if (queueIndex === QUEUE.REQUEST) {
      for (const target of this.#targets.values()) target.requests.notified();
      this.#serve();
    } else if (this.#eventsMissed) this.#sendEvent(eventOf(EVENT.MISSED | EVENT.NONE, 0, 0));
  }

  get draining(): boolean {
    return this.#all.some(({ requests }) => requests.draining);
  }

  reset(): void {
    this.#configView.setUint32(CONFIG.SENSE_SIZE, DEFAULT_SENSE_BYTES, true);
    this.#configView.setUint32(CONFIG.CDB_SIZE, DEFAULT_COMMAND_BYTES, true);
    this.#eventsMissed = false;
    this.#waiting = [];
    for (const target of this.#all) target.reset();
  }

  queueReset(queueIndex: number): void {
    this.#waiting = [];
    if (queueIndex !== QUEUE.REQUEST) return;
    for (const target of this.#all) {
      target.tasks = 0;
      target.requests.reset();
    }
  }

  save(): VirtioScsiState {
    const drives = [...this.#targets.values()].flatMap((target) => {
      const state = target.save();
      return state ? [[target.id, state] as const] : [];
    });
    return {
      senseBytes: this.#senseBytes,
      commandBytes: this.#commandBytes,
      eventsMissed: this.#eventsMissed,
      drives: Object.fromEntries(drives),
    };
  }

  restore(state: VirtioScsiState): void {
    this.writeConfig(CONFIG.SENSE_SIZE, 4, state.senseBytes);
    this.writeConfig(CONFIG.CDB_SIZE, 4, state.commandBytes);
    this.#eventsMissed = state.eventsMissed;
    this.#waiting = [];
    for (const target of this.#targets.values()) {
      const drive = state.drives[target.id];
      if (drive) target.restore(drive);
    }
  }

  resume(): void {
    for (const chain of this.#services.queues[QUEUE.REQUEST]?.takeInterrupted() ?? []) {
      if (!this.#services.running) return;
      this.#submit(chain);
    }
    for (const chain of this.#services.queues[QUEUE.CONTROL]?.takeInterrupted() ?? []) this.#order(chain);
    this.notified(QUEUE.CONTROL);
    this.notified(QUEUE.REQUEST);
  }

  get #all(): ScsiTarget[] {
    return [...this.#targets.values(), ...this.#leaving];
  }

  get #senseBytes(): number {
    return this.#configView.getUint32(CONFIG.SENSE_SIZE, true);
  }

  get #commandBytes(): number {
    return this.#configView.getUint32(CONFIG.CDB_SIZE, true);
  }

  /** Header of an answer with room for sense data. */
  get #responseBytes(): number {
    return RESPONSE_HEADER_BYTES + this.#senseBytes;
  }

  #add(part: ScsiPart): void {
    assert(this.isFree(part.target), `target ${part.target} is free`);
    const target = new ScsiTarget(part, {
      deliver: this.#host.deliver,
      awaitHost: () => (this.#services.queues[QUEUE.REQUEST]?.isPolled ? this.#host.awaitHost?.() : undefined),
      progressed: () => this.#progressed(),
    });
    this.#targets.set(part.target, target);
  }

  // Requests

  #progressed(): void {
    this.#leaving = this.#leaving.filter(({ tasks }) => tasks > 0);
    this.#serve();
    this.#endWaiting();
  }

  #serve(): void {
    const queue = this.#services.queues[QUEUE.REQUEST];
    if (!queue) return;
    while (this.#services.running && this.#all.every(({ requests }) => requests.hasRoom)) {
      const chain = queue.pop();
      if (!chain) break;
      this.#submit(chain);
    }
    this.#services.signal(queue);
  }

  #submit(chain: DescriptorChain): void {
    const headerBytes = REQUEST_HEADER_BYTES + this.#commandBytes;
    if (chain.readableBytes < headerBytes || chain.writableBytes < this.#responseBytes) {
      this.#services.broken(`request ${chain.head} has no room for header and answer`);
      return;
    }
    const header = new Uint8Array(headerBytes);
    chain.read(0, header);
    const place = parseLun(header);
    const target = place && this.#targets.get(place.target);
    if (!target) return this.#answer(chain, { response: RESPONSE.BAD_TARGET });
    const command = new Uint8Array(COMMAND_BYTES);
    command.set(header.subarray(REQUEST_HEADER_BYTES, REQUEST_HEADER_BYTES + COMMAND_BYTES));
    if (place.unit !== 0) return this.#absent(chain, command);
    this.#carryOut(chain, target, target.execute(command));
  }

  /** SPC-4 5.8: the only commands that a unit answers which is not there. */
  #absent(chain: DescriptorChain, command: Uint8Array): void {
    if (command[0] !== SCSI.INQUIRY) return this.#answer(chain, { response: RESPONSE.OK, sense: SENSE.NO_SUCH_UNIT });
    const reply = new Uint8Array(36);
    reply[0] = NO_UNIT;
    reply[4] = reply.length - 5;
    this.#reply(chain, reply);
  }

  #carryOut(chain: DescriptorChain, target: ScsiTarget, command: DiskCommand): void {
    const toDisk = REQUEST_HEADER_BYTES + this.#commandBytes;
    const sent = chain.readableBytes - toDisk;
    const room = chain.writableBytes - this.#responseBytes;
    const overrun = (): void => this.#answer(chain, { response: RESPONSE.OVERRUN });
    switch (command.kind) {
      case "error":
        return this.#answer(chain, { response: RESPONSE.OK, sense: command.sense });
      case "ok":
        return this.#answer(chain, { response: RESPONSE.OK });
      case "data":
        return this.#reply(chain, command.data);
      case "parameters": {
        if (command.length > sent) return overrun();
        const parameters = new Uint8Array(command.length);
        chain.read(toDisk, parameters);
        return this.#carryOut(chain, target, command.parse(parameters));
      }
      case "read": {
        const { kind, offset, length } = command;
        if (length > room || length > MAX_REQUEST_BYTES) return overrun();
        return this.#begin(chain, target, { kind, offset, length, memory: chain.target(this.#responseBytes, length) });
      }
      case "write": {
        if (command.length > sent || command.length > MAX_REQUEST_BYTES) return overrun();
        return this.#begin(chain, target, { ...command, memory: chain.source(toDisk, command.length) });
      }
      case "writeZeroes":
        return this.#begin(chain, target, { ...command, durable: false });
      case "flush":
        return this.#begin(chain, target, command);
    }
  }

  #begin(chain: DescriptorChain, target: ScsiTarget, request: DiskRequest): void {
    const isRead = request.kind === "read";
    target.tasks++;
    target.requests.submit(request, (succeeded) => {
      target.tasks--;
      if (!this.#services.running) return;
      if (succeeded) this.#answer(chain, { response: RESPONSE.OK, dataBytes: isRead ? request.length : 0 });
      else this.#answer(chain, { response: RESPONSE.OK, sense: isRead ? SENSE.UNRECOVERED_READ : SENSE.WRITE_FAULT });
    });
  }

  #reply(chain: DescriptorChain, data: Uint8Array): void {
    const given = data.subarray(0, chain.writableBytes - this.#responseBytes);
    chain.write(this.#responseBytes, given);
    this.#answer(chain, { response: RESPONSE.OK, dataBytes: given.length });
  }

  #answer(chain: DescriptorChain, { response, sense, dataBytes = 0 }: Answer): void {
    const bytes = new Uint8Array(this.#responseBytes);
    const view = new DataView(bytes.buffer);
    if (sense) {
      const told = senseData(sense).subarray(0, this.#senseBytes);
      view.setUint32(0, told.length, true);
      bytes.set(told, RESPONSE_HEADER_BYTES);
    }
    const written = sense ? 0 : Math.max(0, chain.readableBytes - REQUEST_HEADER_BYTES - this.#commandBytes);
    const wanted = chain.writableBytes - bytes.length + written;
    view.setUint32(4, Math.max(0, wanted - dataBytes - written), true);
    view.setUint8(10, sense ? STATUS.CHECK_CONDITION : STATUS.GOOD);
    view.setUint8(11, response);
    chain.write(0, bytes);
    this.#services.queues[QUEUE.REQUEST]?.push(chain, bytes.length + dataBytes);
  }

  // Task management

  #control(): void {
    const queue = this.#services.queues[QUEUE.CONTROL];
    while (queue && this.#services.running) {
      const chain = queue.pop();
      if (!chain) break;
      this.#order(chain);
    }
    if (queue) this.#services.signal(queue);
  }

  #order(chain: DescriptorChain): void {
    const bytes = new Uint8Array(CONTROL_BYTES_MAX);
    chain.read(0, bytes.subarray(0, Math.min(CONTROL_BYTES_MAX, chain.readableBytes)));
    const view = new DataView(bytes.buffer);
    const type = view.getUint32(0, true);
    if (chain.writableBytes < (type === CONTROL.TASK_MANAGEMENT ? 1 : 5)) {
      this.#services.broken(`control request ${chain.head} has no room for an answer`);
    } else if (type === CONTROL.TASK_MANAGEMENT)
      this.#manageTasks(chain, view.getUint32(4, true), bytes.subarray(8, 16));
    else if (type === CONTROL.ASYNC_QUERY || type === CONTROL.ASYNC_SUBSCRIBE) {
      // No asynchronous events of units are offered.
      chain.write(0, new Uint8Array(5));
      this.#services.queues[QUEUE.CONTROL]?.push(chain, 5);
    } else this.#answerOrder(chain, RESPONSE.FAILURE);
  }

  /** What is at a disk can't be called back: whoever wants it ended hears when it has. */
  #manageTasks(chain: DescriptorChain, kind: number, lun: Uint8Array): void {
    const place = parseLun(lun);
    const target = place && this.#targets.get(place.target);
    if (!target) return this.#answerOrder(chain, RESPONSE.BAD_TARGET);
    if (place.unit !== 0) return this.#answerOrder(chain, RESPONSE.INCORRECT_LUN);
    if (kind > TASK_MANAGEMENT.QUERY_TASK_SET) return this.#answerOrder(chain, RESPONSE.FUNCTION_REJECTED);
    if (kind === TASK_MANAGEMENT.LOGICAL_UNIT_RESET || kind === TASK_MANAGEMENT.NEXUS_RESET) target.resetUnit();
    if (target.tasks === 0) return this.#answerOrder(chain, RESPONSE.OK);
    this.#waiting.push({ chain, target });
  }

  #endWaiting(): void {
    const ended = this.#waiting.filter(({ target }) => target.tasks === 0);
    if (ended.length === 0) return;
    this.#waiting = this.#waiting.filter(({ target }) => target.tasks > 0);
    for (const { chain } of ended) this.#answerOrder(chain, RESPONSE.OK);
    const queue = this.#services.queues[QUEUE.CONTROL];
    if (queue) this.#services.signal(queue);
  }

  #answerOrder(chain: DescriptorChain, response: number): void {
    chain.write(0, Uint8Array.of(response));
    this.#services.queues[QUEUE.CONTROL]?.push(chain, 1);
  }

  // Events

  #tell(target: number, reason: number): void {
    this.#sendEvent(eventOf(EVENT.TRANSPORT_RESET, target, reason));
  }

  /** Without a buffer for it the driver learns, with the next one, that it has missed something. */
  #sendEvent(event: Uint8Array): void {
    const queue = this.#services.queues[QUEUE.EVENT];
    if (!queue || !this.#services.running) return;
    const chain = queue.pop();
    if (!chain || chain.writableBytes < EVENT_BYTES) {
      this.#eventsMissed = true;
      if (chain) queue.push(chain, 0);
      return;
    }
    if (this.#eventsMissed) {
      const view = new DataView(event.buffer);
      view.setUint32(0, (view.getUint32(0, true) | EVENT.MISSED) >>> 0, true);
      this.#eventsMissed = false;
    }
    chain.write(0, event);
    queue.push(chain, EVENT_BYTES);
    this.#services.signal(queue);
  }
}
