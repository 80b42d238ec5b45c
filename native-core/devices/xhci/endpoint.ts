// An endpoint of a device slot: takes transfers from its ring, carries them to the device, and reports them (xHCI 1.2 4.10, 4.11).
import { z } from "zod";
import type { GuestMemory } from "../device.ts";
import { u8, u64 } from "../state-schema.ts";
import { USB_IN, type UsbDevice } from "../usb/usb-device.ts";
import type { EventRing } from "./event-ring.ts";
import { CC, EP_STATE, EP_TYPE, TRB, TRB_BITS } from "./registers.ts";
import { lengthOf, placeOf, pointerOf, type RingPlace, readTransfer, type Trb, typeOf } from "./trb.ts";

/** Of one transfer: drivers split what is longer. */
const MAX_TRANSFER_BYTES = 8 << 20;
/** Transfers run for one look at the ring: a ring that feeds itself does not stop the machine. */
const MAX_TRANSFERS = 256;

export const endpointStateSchema = z.strictObject({ state: u8, type: u8, dequeue: u64 });
type EndpointState = z.infer<typeof endpointStateSchema>;

interface EndpointParts {
  readonly memory: GuestMemory;
  readonly events: EventRing;
  readonly slot: number;
  /** Device context index: 1 is the control endpoint, 2n and 2n + 1 are out and in of endpoint n. */
  readonly index: number;
  readonly device: () => UsbDevice | undefined;
}

export class Endpoint {
  readonly #parts: EndpointParts;
  readonly type: number;
  state: number = EP_STATE.RUNNING;
  #dequeue: RingPlace;
  /** It runs already: a device that says in the middle of a transfer that it is ready makes it look once more. */
  #isRunning = false;
  #again = false;

  constructor(parts: EndpointParts, type: number, dequeue: bigint) {
    this.#parts = parts;
    this.type = type;
    this.#dequeue = placeOf(dequeue);
  }

  /** As the context has it: address and cycle bit. */
  get dequeue(): bigint {
    return pointerOf(this.#dequeue);
  }

  set dequeue(pointer: bigint) {
    this.#dequeue = placeOf(pointer);
  }

  /** Runs what is there, until the device has to be waited for. */
  run(): void {
    this.#again = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#again) {
      this.#again = false;
      this.#runSome();
    }
    this.#isRunning = false;
  }

  #runSome(): void {
    for (let count = 0; count < MAX_TRANSFERS && this.state === EP_STATE.RUNNING; count++) {
      const device = this.#parts.device();
      const transfer = readTransfer(this.#parts.memory, this.#dequeue);
      if (!device || !transfer) return;
      const isDone =
        this.type === EP_TYPE.CONTROL ? this.#control(device, transfer.trbs) : this.#data(device, transfer.trbs);
      if (!isDone) return;
      this.#dequeue = transfer.next;
    }
  }

  save(): EndpointState {
    return { state: this.state, type: this.type, dequeue: this.dequeue };
  }

  /** Setup, data and status stage. */
  #control(device: UsbDevice, trbs: readonly Trb[]): boolean {
    const [first] = trbs;
    if (!first || typeOf(first) !== TRB.SETUP) {
      this.#report(trbs, 0, first && typeOf(first) === TRB.NO_OP ? CC.SUCCESS : CC.TRB_ERROR);
      return true;
    }
    const packet = new DataView(new ArrayBuffer(8));
    packet.setBigUint64(0, first.parameter, true);
    const setup = {
      ...{ requestType: packet.getUint8(0), request: packet.getUint8(1), value: packet.getUint16(2, true) },
      ...{ index: packet.getUint16(4, true), length: packet.getUint16(6, true) },
    };
    const stages = trbs.slice(1);
    const isIn = (setup.requestType & USB_IN) !== 0;
    const reply = device.control(setup, isIn ? new Uint8Array(0) : this.#gather(stages));
    if (reply === "stall") this.#halt(stages);
    else this.#report(stages, isIn ? this.#scatter(stages, reply.subarray(0, setup.length)) : setup.length, CC.SUCCESS);
    return true;
  }

  /** False: the device is not ready. */
  #data(device: UsbDevice, trbs: readonly Trb[]): boolean {
    const total = trbs.reduce((sum, trb) => sum + (carriesData(trb) ? lengthOf(trb) : 0), 0);
    if (total > MAX_TRANSFER_BYTES) {
      this.#report(trbs, 0, CC.TRB_ERROR);
      return true;
    }
    const number = this.#parts.index >> 1;
    if (this.type === EP_TYPE.BULK_OUT || this.type === EP_TYPE.INTERRUPT_OUT) {
      const answer = device.receive(number, this.#gather(trbs));
      if (answer === "nak") return false;
      if (answer === "stall") this.#halt(trbs);
      else this.#report(trbs, total, CC.SUCCESS);
      return true;
    }
    const answer = device.send(USB_IN | number, total);
    if (answer === "nak") return false;
    if (answer === "stall") this.#halt(trbs);
    else this.#report(trbs, this.#scatter(trbs, answer), CC.SUCCESS);
    return true;
  }

  #gather(trbs: readonly Trb[]): Uint8Array {
    const pieces = trbs.filter(carriesData);
    const bytes = new Uint8Array(pieces.reduce((sum, trb) => sum + lengthOf(trb), 0));
    let at = 0;
    for (const trb of pieces) {
      const piece = bytes.subarray(at, at + lengthOf(trb));
      if ((trb.control & TRB_BITS.IMMEDIATE) !== 0) {
        const immediate = new Uint8Array(BigUint64Array.of(trb.parameter).buffer);
        piece.set(immediate.subarray(0, piece.length));
      } else this.#parts.memory.read(Number(trb.parameter), piece);
      at += piece.length;
    }
    return bytes;
  }

  /** Returns how much there was room for. */
  #scatter(trbs: readonly Trb[], bytes: Uint8Array): number {
    let at = 0;
    for (const trb of trbs) {
      if (!carriesData(trb)) continue;
      const piece = bytes.subarray(at, at + lengthOf(trb));
      this.#parts.memory.write(Number(trb.parameter), piece);
      at += piece.length;
    }
    return at;
  }

  /** The device refused: the endpoint stands still until the driver resets it. The event names the first TRB. */
  #halt(trbs: readonly Trb[]): void {
    this.state = EP_STATE.HALTED;
    const [trb] = trbs;
    if (trb) this.#event(BigInt(trb.address), CC.STALL, carriesData(trb) ? lengthOf(trb) : 0);
  }

  /** Events for a transfer of `moved` bytes: where the driver asked for them, and where it came out short (4.10.1). */
  #report(trbs: readonly Trb[], moved: number, code: number): void {
    let left = moved;
    let isShort = false;
    let isReported = false;
    let sinceEvent = 0;
    for (const trb of trbs) {
      const type = typeOf(trb);
      if (type === TRB.EVENT_DATA) {
        if ((trb.control & TRB_BITS.INTERRUPT) !== 0) {
          this.#event(trb.parameter, isShort ? CC.SHORT_PACKET : code, sinceEvent & 0xff_ffff, TRB_BITS.EVENT_DATA);
        }
        sinceEvent = 0;
        isReported = true;
        continue;
      }
      if (type === TRB.STATUS) {
        isShort = false;
        isReported = false;
      }
      const length = carriesData(trb) ? lengthOf(trb) : 0;
      const here = Math.min(length, left);
      left -= here;
      sinceEvent += here;
      isShort ||= here < length;
      const isWanted =
        (trb.control & TRB_BITS.INTERRUPT) !== 0 || (isShort && (trb.control & TRB_BITS.SHORT_INTERRUPT) !== 0);
      if (isReported || !(isWanted || code === CC.TRB_ERROR)) continue;
      this.#event(BigInt(trb.address), isShort ? CC.SHORT_PACKET : code, length - here);
      isReported = true;
    }
  }

  #event(pointer: bigint, code: number, length: number, flags = 0): void {
    const { events, slot, index } = this.#parts;
    events.post(TRB.TRANSFER_EVENT, pointer, (code << 24) | length, (slot << 24) | (index << 16) | flags);
  }
}

function carriesData(trb: Trb): boolean {
  const type = typeOf(trb);
  return type === TRB.NORMAL || type === TRB.DATA;
}
