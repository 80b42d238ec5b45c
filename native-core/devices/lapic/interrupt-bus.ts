// How interrupt messages find their processors: from I/O APIC, MSI and IPIs to the local APICs (SDM 3A 10.6.2, 10.11), and the MMIO
// window through which each vCPU sees its own local APIC at the same address.
import { allOnes } from "../bus.ts";
import type { AccessSize, IoBus, MessageInterrupts } from "../device.ts";
import { DELIVERY, LAPIC_BASE, LAPIC_BYTES } from "./registers.ts";

export interface InterruptMessage {
  /** A physical APIC id, or a set of logical ones. */
  readonly destination: number;
  readonly logical: boolean;
  /** DELIVERY */
  readonly mode: number;
  readonly vector: number;
  /** Such interrupts are reported back when the guest ends them. */
  readonly levelTriggered: boolean;
}

/** A local APIC as the bus sees it. */
export interface InterruptReceiver {
  /** Whether a destination names this processor; `broadcast` is the value that names all. */
  matches(destination: number, logical: boolean, broadcast: number): boolean;
  deliver(mode: number, vector: number, levelTriggered: boolean): void;
  /** For lowest-priority arbitration: undefined for one that takes no fixed interrupts. */
  readonly arbitrationPriority: number | undefined;
  /** The registers as MMIO; undefined while the APIC is off or in x2APIC mode. */
  readonly window: LapicWindow | undefined;
}

export interface LapicWindow {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** All processors, for messages with 8-bit and with 32-bit destinations. */
const BROADCAST_8 = 0xff;
export const BROADCAST_32 = 0xffff_ffff;

export class InterruptBus implements MessageInterrupts {
  readonly #receivers: InterruptReceiver[] = [];

  /** `running`: index of the vCPU that executes now, whose APIC answers in the window. */
  constructor(bus: IoBus, running: () => number) {
    const window = (): LapicWindow | undefined => this.#receivers[running()]?.window;
    bus.mapMmio(LAPIC_BASE, LAPIC_BYTES, {
      read: (offset, size) => window()?.read(offset, size) ?? allOnes(size),
      write: (offset, size, value) => window()?.write(offset, size, value),
    });
  }

  /** In order of vCPUs. */
  attach(receiver: InterruptReceiver): void {
    this.#receivers.push(receiver);
  }

  /** From the I/O APIC, and IPIs in xAPIC mode: destinations of 8 bits unless `broadcast` says otherwise. */
  route(message: InterruptMessage, broadcast = BROADCAST_8): void {
    const { destination, logical, mode, vector, levelTriggered } = message;
    const receivers = this.#receivers.filter((receiver) => receiver.matches(destination, logical, broadcast));
    if (mode === DELIVERY.LOWEST) lowestPriority(receivers)?.deliver(mode, vector, levelTriggered);
    else for (const receiver of receivers) receiver.deliver(mode, vector, levelTriggered);
  }

  /** To all processors but `sender`, or with it (`includingSelf`). */
  broadcast(sender: InterruptReceiver, includingSelf: boolean, mode: number, vector: number): void {
    for (const receiver of this.#receivers)
      if (includingSelf || receiver !== sender) receiver.deliver(mode, vector, false);
  }

  /** MSI (SDM 3A 10.11): destination in address bits 19..12, vector and mode in the data. */
  send(address: bigint, data: number): void {
    if (address >> 20n !== BigInt(LAPIC_BASE >>> 20)) return;
    this.route({
      destination: Number((address >> 12n) & 0xffn),
      logical: (address & 4n) !== 0n,
      mode: (data >>> 8) & 7,
      vector: data & 0xff,
      levelTriggered: (data & 0x8000) !== 0,
    });
  }
}

/** The first of those with the lowest priority. */
function lowestPriority(receivers: readonly InterruptReceiver[]): InterruptReceiver | undefined {
  let lowest: InterruptReceiver | undefined;
  for (const receiver of receivers) {
    const priority = receiver.arbitrationPriority;
    if (priority === undefined) continue;
    if (lowest === undefined || priority < (lowest.arbitrationPriority ?? 0)) lowest = receiver;
  }
  return lowest;
}
