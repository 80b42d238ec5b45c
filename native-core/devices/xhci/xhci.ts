// An extensible host controller for USB (xHCI 1.2) as QEMU's (1B36:000D), which every system since 2010 has a driver for: one
// interrupter, a command ring, device slots, and ports without hubs between.
//
//   BAR 0  0x0000 capabilities, operational and port registers   0x1000 runtime   0x2000 doorbells      BAR 2  MSI-X
import { z } from "zod";
import { assert } from "../../common/assert.ts";
import type { AccessSize, Device, GuestMemory, IoHandler, VirtualClock } from "../device.ts";
import type { Msix } from "../pci/msix.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { u8, u32, u64 } from "../state-schema.ts";
import type { UsbDevice } from "../usb/usb-device.ts";
import { EventRing, eventRingStateSchema, half, withHalf } from "./event-ring.ts";
import { Ports, portsStateSchema } from "./ports.ts";
import {
  BAR_BYTES,
  CAP,
  CAP_BYTES,
  CC,
  CRCR,
  DOORBELLS,
  OP,
  PORTS,
  PROTOCOLS,
  RT,
  SLOTS,
  TRB,
  USB2_PORTS,
  USBCMD,
  USBSTS,
} from "./registers.ts";
import { Slots, slotsStateSchema } from "./slots.ts";
import { placeOf, pointerOf, readTrb, type Trb, typeOf } from "./trb.ts";

const MSIX_BAR = 2;
const MICROFRAME_NS = 125_000n;
const MFINDEX_MASK = 0x3fffn;
/** Commands for one look at their ring. */
const MAX_COMMANDS = 256;
/** "USB " */
const PROTOCOL_NAME = 0x2042_5355;
const COMMAND_RING_STOPPED = 24;

const stateSchema = z.strictObject({
  ...{ command: u32, status: u32, notifications: u32, config: u8 },
  ...{ ring: u64, ringRuns: z.boolean(), contexts: u64 },
  events: eventRingStateSchema,
  slots: slotsStateSchema,
  ports: portsStateSchema,
  devices: z.record(z.string().max(64), z.unknown()),
});
type ControllerState = z.infer<typeof stateSchema>;

interface XhciState {
  pci: PciFunctionState;
  controller: ControllerState;
}

export interface XhciParts {
  readonly memory: GuestMemory;
  readonly clock: VirtualClock;
  /** See BoardServices. */
  readonly deliver: (apply: () => void) => void;
}

interface Plugged {
  readonly name: string;
  readonly port: number;
  readonly device: UsbDevice;
}

export class Xhci implements Device<XhciState>, IoHandler {
  readonly name = "xhci";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<XhciState>;
  readonly pci = new PciFunction({
    ...{ vendorId: 0x1b36, deviceId: 0x000d, classCode: 0x0c0330, revision: 1 },
    ...{ subsystemVendorId: 0x1af4, subsystemId: 0x1100, interruptPin: 1 },
  });
  readonly #parts: XhciParts;
  readonly #msix: Msix;
  readonly #events: EventRing;
  readonly #slots: Slots;
  readonly #ports: Ports;
  #plugged: Plugged[] = [];
  #command = 0;
  #status: number = USBSTS.HALTED;
  #notifications = 0;
  #config = 0;
  /** Command ring: address and cycle bit. */
  #ring = 0n;
  #ringRuns = false;
  #contexts = 0n;
  #life = 0;

  constructor(parts: XhciParts) {
    this.#parts = parts;
    this.pci.addBar({ index: 0, kind: "memory", width: 64, sizeBytes: BAR_BYTES, handler: this });
    this.#msix = this.pci.addMsix(MSIX_BAR, 1);
    const { memory } = parts;
    this.#events = new EventRing({
      memory,
      raise: () => this.#raise(),
      changed: () => this.#updateLine(),
    });
    this.#ports = new Ports((port) => this.#portChanged(port));
    this.#slots = new Slots({
      ...{ memory, events: this.#events, contexts: () => this.#contexts },
      deviceAt: (port) => this.#ports.deviceAt(port),
    });
    const controller = stateSchema.superRefine(({ devices }, context) => {
      for (const { name, device } of this.#plugged) {
        const state = devices[name];
        if (state !== undefined && !device.stateSchema.safeParse(state).success) {
          context.addIssue({ code: "custom", path: ["devices", name], message: "not a state of this device" });
        }
      }
    });
    this.stateSchema = z.strictObject({ pci: this.pci.stateSchema, controller });
  }

  /** Plugs a device into a USB 2 port, counted from 0, that is free. `name` is its name in saved states. */
  plug(name: string, port: number, device: UsbDevice): void {
    assert(port < USB2_PORTS && !this.#ports.deviceAt(port), "the port is there and free");
    this.#plugged.push({ name, port, device });
    device.plug({
      ready: (endpoint) => {
        this.#ports.wake(port);
        if (this.#isRunning) this.#slots.ready(port, endpoint);
      },
    });
    device.reset();
    this.#ports.plug(port, device);
  }

  /** Pulls a device out; false when there is none of that name. */
  unplug(name: string): boolean {
    const plugged = this.#plugged.find((each) => each.name === name);
    if (!plugged) return false;
    this.#plugged = this.#plugged.filter((each) => each !== plugged);
    plugged.device.reset();
    this.#ports.unplug(plugged.port);
    return true;
  }

  /** Registers have 32 bits; smaller accesses read parts of them. */
  read(offset: number, size: AccessSize): number {
    const word = this.#readWord(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? word >>> 0 : (word & ((1 << (size * 8)) - 1)) >>> 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    if (offset >= DOORBELLS) this.#ringDoorbell((offset - DOORBELLS) / 4, value & 0xff);
    else if (offset >= RT.BASE) this.#events.write(offset, value);
    else if (offset >= OP.PORTS) {
      const place = offset - OP.PORTS;
      if (place % OP.PORT_BYTES === 0 && place < PORTS * OP.PORT_BYTES) this.#ports.write(place / OP.PORT_BYTES, value);
    } else this.#writeOperational(offset, value);
  }

  reset(): void {
    this.pci.reset();
    this.#resetController();
  }

  save(): XhciState {
    return {
      pci: this.pci.save(),
      controller: {
        ...{ command: this.#command, status: this.#status, notifications: this.#notifications, config: this.#config },
        ...{ ring: this.#ring, ringRuns: this.#ringRuns, contexts: this.#contexts },
        events: this.#events.save(),
        slots: this.#slots.save(),
        ports: this.#ports.save(),
        devices: Object.fromEntries(this.#plugged.map(({ name, device }) => [name, device.save()])),
      },
    };
  }

  restore({ pci, controller: state }: XhciState): void {
    const life = ++this.#life;
    this.pci.restore(pci);
    this.#command = state.command & USBCMD.WRITABLE;
    this.#status = state.status;
    this.#notifications = state.notifications;
    this.#config = state.config;
    this.#ring = state.ring;
    this.#ringRuns = state.ringRuns;
    this.#contexts = state.contexts;
    this.#events.restore(state.events);
    this.#slots.restore(state.slots);
    for (const { name, device } of this.#plugged) {
      const saved = state.devices[name];
      if (saved === undefined) device.reset();
      else device.restore(saved);
    }
    this.#ports.restore(state.ports);
    this.#updateLine();
    this.#parts.deliver(() => {
      if (life === this.#life) for (const { device } of this.#plugged) device.resume?.();
    });
  }

  dispose(): void {
    this.pci.dispose();
  }

  get #isRunning(): boolean {
    return (this.#command & USBCMD.RUN) !== 0;
  }

  #readWord(offset: number): number {
    if (offset >= DOORBELLS) return 0;
    if (offset === RT.MFINDEX) return Number((this.#parts.clock.nowNs() / MICROFRAME_NS) & MFINDEX_MASK);
    if (offset >= RT.BASE) return offset < RT.END ? this.#events.read(offset) : 0;
    if (offset >= PROTOCOLS) return protocolWord((offset - PROTOCOLS) / 4);
    if (offset >= OP.PORTS) {
      const place = offset - OP.PORTS;
      return place % OP.PORT_BYTES === 0 && place < PORTS * OP.PORT_BYTES ? this.#ports.read(place / OP.PORT_BYTES) : 0;
    }
    return this.#readOperational(offset);
  }

  #readOperational(offset: number): number {
    switch (offset) {
      case CAP.CAPLENGTH:
        // Version 1.0.
        return CAP_BYTES | (0x0100 << 16);
      case CAP.HCSPARAMS1:
        return SLOTS + (1 << 8) + PORTS * 2 ** 24;
      case CAP.HCSPARAMS2:
        // Up to 16 segments of the event ring.
        return 0x4f;
      case CAP.HCCPARAMS1:
        // 64-bit addresses; extended capabilities.
        return ((PROTOCOLS / 4) << 16) | 1;
      case CAP.DBOFF:
        return DOORBELLS;
      case CAP.RTSOFF:
        return RT.BASE;
      case OP.USBCMD:
        return this.#command;
      case OP.USBSTS:
        return this.#status;
      case OP.PAGESIZE:
        return 1;
      case OP.DNCTRL:
        return this.#notifications;
      case OP.CRCR:
        return this.#ringRuns ? CRCR.RUNNING : 0;
      case OP.DCBAAP:
        return half(this.#contexts, 0);
      case OP.DCBAAP + 4:
        return half(this.#contexts, 1);
      case OP.CONFIG:
        return this.#config;
      default:
        return 0;
    }
  }

  #writeOperational(offset: number, value: number): void {
    switch (offset) {
      case OP.USBCMD:
        this.#writeCommand(value);
        break;
      case OP.USBSTS:
        this.#status &= ~(value & USBSTS.CLEARABLE);
        break;
      case OP.DNCTRL:
        this.#notifications = value & 0xffff;
        break;
      case OP.CRCR:
        this.#writeRing(value);
        break;
      case OP.CRCR + 4:
        if (!this.#ringRuns) this.#ring = withHalf(this.#ring, 1, value);
        break;
      case OP.DCBAAP:
        this.#contexts = withHalf(this.#contexts, 0, value & ~0x3f);
        break;
      case OP.DCBAAP + 4:
        this.#contexts = withHalf(this.#contexts, 1, value);
        break;
      case OP.CONFIG:
        this.#config = value & 0xff;
        break;
    }
  }

  #writeCommand(value: number): void {
    if ((value & USBCMD.RESET) !== 0) {
      this.#resetController();
      return;
    }
    this.#command = value & USBCMD.WRITABLE;
    if (this.#isRunning) this.#status &= ~USBSTS.HALTED;
    else {
      this.#status |= USBSTS.HALTED;
      this.#ringRuns = false;
    }
    this.#updateLine();
  }

  /** While the ring runs only stopping it means anything (5.4.5). */
  #writeRing(value: number): void {
    if (!this.#ringRuns) {
      this.#ring = withHalf(this.#ring, 0, value & ~0x3e);
      return;
    }
    if ((value & (CRCR.STOP | CRCR.ABORT)) === 0) return;
    this.#ringRuns = false;
    this.#events.post(TRB.COMMAND_COMPLETION, this.#ring & ~0xfn, COMMAND_RING_STOPPED << 24);
  }

  #ringDoorbell(slot: number, target: number): void {
    if (!this.#isRunning) return;
    if (slot === 0) {
      this.#ringRuns = true;
      this.#runCommands();
    } else if (slot <= SLOTS) this.#slots.ring(slot, target);
  }

  #runCommands(): void {
    for (let count = 0; count < MAX_COMMANDS && this.#ringRuns; count++) {
      const read = readTrb(this.#parts.memory, placeOf(this.#ring));
      if (!read) return;
      this.#ring = pointerOf(read.next);
      const { code, slot } = this.#execute(read.trb);
      this.#events.post(TRB.COMMAND_COMPLETION, BigInt(read.trb.address), code << 24, slot << 24);
    }
  }

  #execute(command: Trb): { code: number; slot: number } {
    if (typeOf(command) === TRB.NO_OP_COMMAND) return { code: CC.SUCCESS, slot: 0 };
    return this.#slots.execute(command, this.#config);
  }

  #resetController(): void {
    this.#life++;
    this.#command = 0;
    this.#status = USBSTS.HALTED;
    this.#notifications = 0;
    this.#config = 0;
    this.#ring = 0n;
    this.#ringRuns = false;
    this.#contexts = 0n;
    this.#events.reset();
    this.#slots.reset();
    this.#ports.reset();
    this.#updateLine();
  }

  #portChanged(port: number): void {
    this.#status |= USBSTS.PORT_CHANGE;
    if (this.#isRunning) this.#events.post(TRB.PORT_CHANGE, BigInt(port + 1) << 24n, CC.SUCCESS << 24);
  }

  #raise(): void {
    this.#status |= USBSTS.EVENT;
    if (this.#msix.enabled) {
      if ((this.#command & USBCMD.INTERRUPTS) === 0 || !this.#events.pending) return;
      this.#msix.notify(0);
      this.#events.messageSent();
    } else this.#updateLine();
  }

  #updateLine(): void {
    const wants = (this.#command & USBCMD.INTERRUPTS) !== 0 && this.#events.pending;
    this.pci.setInterrupt(wants && !this.#msix.enabled);
  }
}

/** Supported Protocol capabilities (7.2): USB 2 on the first ports, USB 3 on the others. */
function protocolWord(index: number): number {
  const words = [
    ...[0x0200_0002 | (4 << 8), PROTOCOL_NAME, 1 | (USB2_PORTS << 8), 0],
    ...[0x0300_0002, PROTOCOL_NAME, (USB2_PORTS + 1) | ((PORTS - USB2_PORTS) << 8), 0],
  ];
  return words[index] ?? 0;
}
