// Which frames the driver wants: promiscuous modes and address tables set through the control queue (virtio 1.2 5.1.6.5.1-2).
import { z } from "zod";
import { isGroupAddress, sameBytes } from "../../../network/packets/ethernet.ts";
import { bytes, flag } from "../../state-schema.ts";

/** Addresses kept per table; more mean "all of them", as the specification allows. */
const TABLE_MAX = 64;

const macSchema = bytes(6);
export const receiveFilterStateSchema: z.ZodType<ReceiveFilterState> = z.object({
  promiscuous: flag,
  allMulticast: flag,
  allUnicast: flag,
  noMulticast: flag,
  noUnicast: flag,
  noBroadcast: flag,
  unicast: z.array(macSchema).max(TABLE_MAX),
  multicast: z.array(macSchema).max(TABLE_MAX),
});
export interface ReceiveFilterState {
  promiscuous: boolean;
  allMulticast: boolean;
  allUnicast: boolean;
  noMulticast: boolean;
  noUnicast: boolean;
  noBroadcast: boolean;
  unicast: Uint8Array[];
  multicast: Uint8Array[];
}

const MODES = ["promiscuous", "allMulticast", "allUnicast", "noMulticast", "noUnicast", "noBroadcast"] as const;

export class ReceiveFilter {
  #state: ReceiveFilterState = powerOn();

  reset(): void {
    this.#state = powerOn();
  }

  /** VIRTIO_NET_CTRL_RX commands 0..5. False for one that does not exist. */
  setMode(command: number, on: boolean): boolean {
    const mode = MODES[command];
    if (mode) this.#state[mode] = on;
    return mode !== undefined;
  }

  setTables(unicast: Uint8Array[], multicast: Uint8Array[]): void {
    if (unicast.length > TABLE_MAX) this.#state.promiscuous = true;
    if (multicast.length > TABLE_MAX) this.#state.allMulticast = true;
    this.#state.unicast = unicast.slice(0, TABLE_MAX);
    this.#state.multicast = multicast.slice(0, TABLE_MAX);
  }

  accepts(frame: Uint8Array, own: Uint8Array): boolean {
    const state = this.#state;
    if (state.promiscuous) return true;
    if (!isGroupAddress(frame)) {
      if (state.noUnicast) return false;
      return state.allUnicast || sameBytes(frame, 0, own, 0, 6) || contains(state.unicast, frame);
    }
    if (frame.subarray(0, 6).every((byte) => byte === 0xff)) return !state.noBroadcast;
    return !state.noMulticast && (state.allMulticast || contains(state.multicast, frame));
  }

  save(): ReceiveFilterState {
    const { unicast, multicast, ...modes } = this.#state;
    const copy = (table: readonly Uint8Array[]) => table.map((mac) => Uint8Array.from(mac));
    return { ...modes, unicast: copy(unicast), multicast: copy(multicast) };
  }

  restore(state: ReceiveFilterState): void {
    this.#state = { ...state };
  }
}

function contains(table: readonly Uint8Array[], frame: Uint8Array): boolean {
  return table.some((mac) => sameBytes(mac, 0, frame, 0, 6));
}

/** A driver that never says what it wants gets everything. */
function powerOn(): ReceiveFilterState {
  return {
    promiscuous: true,
    allMulticast: false,
    allUnicast: false,
    noMulticast: false,
    noUnicast: false,
    noBroadcast: false,
    unicast: [],
    multicast: [],
  };
}
