// The cable between a guest's adapter and its network, and everything that sits on it:
//
//   adapter --guestSide--> counters, capture --> firewall --> limit --> network
//   network --networkSide--> firewall --> limit --> capture, counters --> adapter
//
// A capture shows what the guest itself sent and got.
import { Firewall } from "./firewall/firewall.ts";
import type { FirewallSettings } from "./firewall/rules.ts";
import type { AdapterEnd, Frame, NetworkEnd } from "./frame.ts";
import { Shaper, type ShaperClock } from "./shaper.ts";

export interface LinkSettings {
  readonly connected: boolean;
  readonly firewall: FirewallSettings;
  /** kbit/s from the guest and to it. */
  readonly sendLimit: number | undefined;
  readonly receiveLimit: number | undefined;
}

/** As the guest sees it. */
export interface LinkCounters {
  receivedBytes: number;
  receivedFrames: number;
  sentBytes: number;
  sentFrames: number;
  deniedFrames: number;
}

/** Where frames are copied to while a capture runs. */
export type CaptureTap = (frame: Frame, direction: "in" | "out") => void;

export class Link {
  /** What the adapter sends into. */
  readonly guestSide: Pick<NetworkEnd, "receive" | "flush" | "roomAgain">;
  /** What the network sends into. */
  readonly networkSide: AdapterEnd;
  adapter: AdapterEnd | undefined;
  network: NetworkEnd | undefined;
  capture: CaptureTap | undefined;
  readonly #firewall: Firewall;
  readonly #toNetwork: Shaper;
  readonly #toGuest: Shaper;
  readonly #counters = { receivedBytes: 0, receivedFrames: 0, sentBytes: 0, sentFrames: 0 };
  #connected: boolean;
  #isDelayed = false;

  constructor(settings: LinkSettings, clock: ShaperClock) {
    this.#connected = settings.connected;
    this.#firewall = new Firewall(settings.firewall);
    this.#toNetwork = new Shaper(clock, (frame) => {
      this.network?.receive(frame);
      // Frames that waited come alone; a burst ends with `flush` below.
      if (this.#isDelayed) this.network?.flush();
    });
    this.#toGuest = new Shaper(clock, (frame) => this.#deliver(frame));
    this.#toGuest.onRoom = () => this.network?.roomAgain();
    this.guestSide = {
      receive: (frame) => this.#fromGuest(frame),
      flush: () => this.network?.flush(),
      roomAgain: () => this.network?.roomAgain(),
    };
    this.networkSide = this.#makeNetworkSide();
    this.configure(settings);
  }

  configure(settings: LinkSettings): void {
    this.#connected = settings.connected;
    this.#isDelayed = settings.sendLimit !== undefined;
    this.#firewall.configure(settings.firewall);
    this.#toNetwork.setLimit(settings.sendLimit);
    this.#toGuest.setLimit(settings.receiveLimit);
  }

  get counters(): LinkCounters {
    return { ...this.#counters, deniedFrames: this.#firewall.deniedFrames };
  }

  dispose(): void {
    this.#toNetwork.dispose();
    this.#toGuest.dispose();
  }

  #makeNetworkSide(): AdapterEnd {
    const hasRoom = () => this.#toGuest.hasRoom && (this.adapter?.hasRoom ?? true);
    const isIdle = () => this.#toGuest.isIdle && (this.adapter?.isIdle ?? true);
    return {
      receive: (frame) => this.#fromNetwork(frame),
      get hasRoom() {
        return hasRoom();
      },
      get isIdle() {
        return isIdle();
      },
    };
  }

  #fromGuest(frame: Frame): void {
    if (!this.#connected) return;
    this.#counters.sentFrames++;
    this.#counters.sentBytes += frame.bytes.length;
    this.capture?.(frame, "out");
    if (this.network && this.#firewall.passes(frame, "out")) this.#toNetwork.push(frame);
  }

  #fromNetwork(frame: Frame): boolean {
    return this.#connected && this.#firewall.passes(frame, "in") && this.#toGuest.push(frame);
  }

  #deliver(frame: Frame): void {
    if (!this.#connected || !this.adapter?.receive(frame)) return;
    this.#counters.receivedFrames++;
    this.#counters.receivedBytes += frame.bytes.length;
    this.capture?.(frame, "in");
  }
}
