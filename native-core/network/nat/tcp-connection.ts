// One TCP connection of the guest, ended here: towards the guest this is the other TCP, towards the host it is a stream.
//
//   guest --SYN--> opening --host connected--> accepting --ACK--> open --both FINs acknowledged--> closed
//   host  --accepts a forward--> calling --SYN+ACK--> open
//
// The virtual wire loses little (a pulled cable, a bandwidth limit), so the sender is simple: the guest's window bounds what is in
// flight, and what is lost is sent again from the first unacknowledged byte (go back N). Flow control couples the two sides: bytes the
// host's kernel has not taken shrink the window offered to the guest, bytes the guest has not taken pause the host's stream.
import type { Frame } from "../frame.ts";
import { before, distance, TCP_FLAG, type TcpSegment, tcpFrame } from "../packets/tcp.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { CloseReason, HostStream, HostStreamEvents } from "./host-network.ts";

export interface TcpEndpoints {
  readonly guestAddress: Uint8Array;
  readonly guestPort: number;
  /** The other end as the guest sees it. */
  readonly remoteAddress: Uint8Array;
  readonly remotePort: number;
}

/** What a connection needs of its table. */
export interface TcpOwner {
  readonly hasRoom: boolean;
  /** Bytes that may wait on each side. */
  readonly bufferBytes: number;
  nowMs(): number;
  macs(guestAddress: Uint8Array): { sourceMac: Uint8Array; destinationMac: Uint8Array };
  send(frame: Frame): void;
  /** `burstEnded` is to be called when the guest's burst is over. */
  workLater(connection: TcpConnection): void;
  /** `pump` is to be called when the adapter has room again. */
  pumpLater(connection: TcpConnection): void;
  closed(connection: TcpConnection): void;
}

type State = "opening" | "accepting" | "calling" | "open" | "closed";

/** RFC 9293 3.7.1 */
const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
const OUR_WINDOW_SCALE = 7;
const MAX_IP_PAYLOAD = 65_535 - 60;
const DUPLICATE_ACKS = 3;
const FIRST_RETRY_MS = 400;
const MAX_RETRY_MS = 20_000;
const MAX_RETRIES = 12;
/** A guest that does not finish a handshake, or a host that does not answer, gets this long. */
const HANDSHAKE_MS = 30_000;

export class TcpConnection implements HostStreamEvents {
  readonly key: string;
  readonly ends: TcpEndpoints;
  stream: HostStream | undefined;
  readonly #owner: TcpOwner;
  readonly #queue = new ByteQueue();
  #state: State;
  // Sending to the guest (RFC 9293 3.3.1): sequence numbers modulo 2^32.
  #sendUnacknowledged: number;
  #sendNext: number;
  #sendMax: number;
  #guestWindow = 0;
  #guestScale: number | undefined;
  #mss: number;
  #duplicateAcks = 0;
  #retries = 0;
  #retryAtMs = 0;
  #hostEnded = false;
  /** The number of our FIN, once it was sent. */
  #finSequence: number | undefined;
  #hostPaused = false;
  // Receiving from the guest.
  #receiveNext = 0;
  #offeredWindow = 0;
  #guestEnded = false;
  #corked = false;
  readonly #openedMs: number;
  /** Kept by the table: the guest's burst is not over, the adapter had no room. */
  inBurst = false;
  pumpPending = false;
  acknowledgePending = false;

  constructor(owner: TcpOwner, key: string, ends: TcpEndpoints, initialSequence: number) {
    this.#owner = owner;
    this.key = key;
    this.ends = ends;
    this.#state = "opening";
    this.#sendUnacknowledged = this.#sendNext = this.#sendMax = initialSequence;
    this.#mss = ends.guestAddress.length === 4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6;
    this.#openedMs = owner.nowMs();
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get state(): State {
    return this.#state;
  }

  // Opening

  /** The guest asks for a connection; the host's side is being opened meanwhile. */
  opened(segment: TcpSegment): void {
    this.#receiveNext = (segment.sequence + 1) >>> 0;
    this.#takeOptions(segment);
    this.#guestWindow = segment.window;
  }

  /** The host has a connection for the guest. */
  call(): void {
    this.#state = "calling";
    this.stream?.pause();
    this.#hostPaused = true;
    this.#sendSyn(TCP_FLAG.SYN);
  }

  #takeOptions({ mss, windowScale }: TcpSegment): void {
    const isV4 = this.ends.guestAddress.length === 4;
    const most = isV4 ? 1460 : 1440;
    this.#mss = Math.max(48, Math.min(most, mss ?? this.#mss));
    this.#guestScale = windowScale;
  }

  #sendSyn(flags: number): void {
    this.#sendMax = this.#sendNext = (this.#sendUnacknowledged + 1) >>> 0;
    this.#armRetry();
    this.#offeredWindow = Math.min(0xffff, this.#owner.bufferBytes);
    const scaled = flags === TCP_FLAG.SYN || this.#guestScale !== undefined;
    this.#owner.send(
      tcpFrame(this.#template(), {
        ...this.#ports(),
        sequence: this.#sendUnacknowledged,
        acknowledgment: flags & TCP_FLAG.ACK ? this.#receiveNext : 0,
        flags,
        window: this.#offeredWindow,
        mss: this.ends.guestAddress.length === 4 ? 1460 : 1440,
        windowScale: scaled ? OUR_WINDOW_SCALE : undefined,
      }),
    );
  }

  // Host side

  connected(): void {
    if (this.#state !== "opening") return;
    this.#state = "accepting";
    this.#sendSyn(TCP_FLAG.SYN | TCP_FLAG.ACK);
  }

  data(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#queue.append(bytes);
    if (this.#queue.length >= this.#owner.bufferBytes && !this.#hostPaused) {
      this.#hostPaused = true;
      this.stream?.pause();
    }
    this.pump();
  }

  drained(): void {
    if (this.#state !== "open") return;
    // The guest may have been held back; it need not be told of every bit of room.
    if (this.#offeredWindow < this.#owner.bufferBytes / 2) this.acknowledge();
  }

  ended(): void {
    this.#hostEnded = true;
    this.pump();
  }

  closed(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.stream = undefined;
    if (reason === "done") {
      // Both directions are through on the host's side; what the guest has not got yet still goes out.
      this.#hostEnded = true;
      this.pump();
      return;
    }
    this.reset();
  }

  // Guest side

  receive(segment: TcpSegment, payload: Uint8Array): void {
    const { flags } = segment;
    if (flags & TCP_FLAG.RST) {
      // RFC 9293 3.10.7.4: only a reset inside the window counts; before the handshake is through, one that acknowledges it.
      if (this.#state === "calling" || distance(this.#receiveNext, segment.sequence) <= this.#windowSize())
        this.abort();
      return;
    }
    if (this.#state === "calling") {
      this.#answered(segment);
      return;
    }
    if (flags & TCP_FLAG.SYN) {
      if (this.#state === "accepting") this.#sendSyn(TCP_FLAG.SYN | TCP_FLAG.ACK);
      else if (this.#state === "open") this.acknowledge();
      return;
    }
    if (!(flags & TCP_FLAG.ACK) || this.#state === "opening" || this.#state === "closed") return;
    if (this.#state === "accepting") {
      if (segment.acknowledgment !== this.#sendMax) return this.reset();
      this.#state = "open";
      this.#sendUnacknowledged = segment.acknowledgment;
      this.#retries = 0;
    }
    this.#takeAcknowledgment(segment, payload.length);
    if (payload.length > 0 || flags & TCP_FLAG.FIN) this.#takeData(segment, payload);
    this.#owner.workLater(this);
  }

  /** The guest answers a forwarded connection. */
  #answered(segment: TcpSegment): void {
    const both = TCP_FLAG.SYN | TCP_FLAG.ACK;
    if ((segment.flags & both) !== both || segment.acknowledgment !== this.#sendMax) return;
    this.#receiveNext = (segment.sequence + 1) >>> 0;
    this.#takeOptions(segment);
    this.#sendUnacknowledged = segment.acknowledgment;
    this.#guestWindow = segment.window;
    this.#retries = 0;
    this.#state = "open";
    this.acknowledge();
    this.#resumeHost();
    this.pump();
  }

  #takeAcknowledgment(segment: TcpSegment, payloadBytes: number): void {
    const acknowledged = distance(this.#sendUnacknowledged, segment.acknowledgment);
    const outstanding = distance(this.#sendUnacknowledged, this.#sendMax);
    // Something that was never sent, or old: nothing to learn from it.
    if (acknowledged > outstanding) return;
    const window = segment.window << (this.#guestScale ?? 0);
    if (acknowledged > 0) {
      // The FIN takes one sequence number behind the data.
      this.#queue.release(Math.min(acknowledged, this.#queue.length));
      this.#sendUnacknowledged = segment.acknowledgment;
      if (before(this.#sendNext, segment.acknowledgment)) this.#sendNext = segment.acknowledgment;
      this.#duplicateAcks = 0;
      this.#retries = 0;
      this.#armRetry();
      if (this.#hostPaused && this.#queue.length <= this.#owner.bufferBytes / 2) this.#resumeHost();
    } else if (outstanding > 0 && payloadBytes === 0 && window === this.#guestWindow) {
      if (++this.#duplicateAcks === DUPLICATE_ACKS) this.#sendNext = this.#sendUnacknowledged;
    }
    this.#guestWindow = window;
    if (this.#guestEnded && this.#finAcknowledged) this.#close();
  }

  #takeData(segment: TcpSegment, payload: Uint8Array): void {
    this.acknowledgePending = true;
    const old = (this.#receiveNext - segment.sequence) | 0;
    // Later data, or nothing but what is here already: the acknowledgment says what is wanted.
    if (old < 0 || old > payload.length || this.#guestEnded) return;
    const room = this.#windowSize();
    const fresh = payload.subarray(old, Math.min(payload.length, old + room));
    if (fresh.length > 0) {
      if (!this.stream) return this.reset();
      if (!this.#corked) {
        this.#corked = true;
        this.stream.cork();
      }
      this.stream.write(fresh);
      this.#receiveNext = (this.#receiveNext + fresh.length) >>> 0;
    }
    if (segment.flags & TCP_FLAG.FIN && old + fresh.length === payload.length) {
      this.#guestEnded = true;
      this.#receiveNext = (this.#receiveNext + 1) >>> 0;
      this.#uncork();
      this.stream?.end();
      if (this.#finAcknowledged) {
        this.acknowledge();
        this.#close();
      }
    }
  }

  /** The guest has sent what it had: its data goes on together, and one answer says it all. */
  burstEnded(): void {
    this.inBurst = false;
    this.#uncork();
    this.pump();
    if (this.acknowledgePending) this.acknowledge();
  }

  /** Says how far the guest's data came and how much more is wanted. */
  acknowledge(): void {
    this.acknowledgePending = false;
    if (this.#state === "open") this.#owner.send(tcpFrame(this.#template(), this.#fields(TCP_FLAG.ACK)));
  }

  /** Sends what the guest's window and the adapter take. */
  pump(): void {
    this.pumpPending = false;
    if (this.#state !== "open") return;
    const most = Math.max(this.#mss, Math.floor(MAX_IP_PAYLOAD / this.#mss) * this.#mss);
    for (;;) {
      const offset = distance(this.#sendUnacknowledged, this.#sendNext);
      const unsent = this.#queue.length - offset;
      const length = Math.min(unsent, this.#guestWindow - offset, most);
      if (length <= 0) break;
      // RFC 9293 3.8.6.2.1, for segments that the adapter cuts: no small pieces while more is under way, since each costs as much as
      // a large one. What is under way opens the window when it is acknowledged.
      if (offset > 0 && length < unsent && length < Math.min(most, this.#guestWindow >>> 2)) break;
      if (!this.#owner.hasRoom) return this.#owner.pumpLater(this);
      this.#sendData(offset, length, length === unsent);
    }
    if (!this.#hostEnded || this.#finAcknowledged) return;
    if (distance(this.#sendUnacknowledged, this.#sendNext) === this.#queue.length) {
      this.#finSequence = this.#sendNext;
      this.#owner.send(tcpFrame(this.#template(), this.#fields(TCP_FLAG.FIN | TCP_FLAG.ACK)));
      this.#advance(1);
    }
  }

  #sendData(offset: number, length: number, isLast: boolean): void {
    const flags = TCP_FLAG.ACK | (isLast ? TCP_FLAG.PSH : 0);
    const fields = this.#fields(flags);
    this.acknowledgePending = false;
    this.#owner.send(
      tcpFrame(this.#template(), fields, length, this.#mss, (target) => this.#queue.copy(offset, target)),
    );
    this.#advance(length);
  }

  #advance(count: number): void {
    if (this.#sendNext === this.#sendUnacknowledged) this.#armRetry();
    this.#sendNext = (this.#sendNext + count) >>> 0;
    if (before(this.#sendMax, this.#sendNext)) this.#sendMax = this.#sendNext;
  }

  // Time

  /** To be called a few times a second while the guest runs. */
  tick(nowMs: number): void {
    if (this.#state === "opening" || this.#state === "accepting" || this.#state === "calling") {
      if (nowMs - this.#openedMs > HANDSHAKE_MS) return this.abort();
    }
    if (this.#state === "opening" || nowMs < this.#retryAtMs) return;
    const waiting = this.#sendMax !== this.#sendUnacknowledged;
    const blocked = this.#queue.length > 0 && this.#guestWindow === 0;
    if (!waiting && !blocked) return;
    if (this.#retries >= MAX_RETRIES) return this.reset();
    this.#retries++;
    this.#armRetry();
    if (this.#state === "accepting") return this.#sendSyn(TCP_FLAG.SYN | TCP_FLAG.ACK);
    if (this.#state === "calling") return this.#sendSyn(TCP_FLAG.SYN);
    this.#sendNext = this.#sendUnacknowledged;
    // A closed window is probed with one byte (RFC 9293 3.8.6.1).
    if (this.#guestWindow === 0 && this.#queue.length > 0) this.#sendData(0, 1, false);
    else this.pump();
  }

  #armRetry(): void {
    this.#retryAtMs = this.#owner.nowMs() + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries);
  }

  // Ending

  /** Tells the guest that the connection is gone, and gives up the host's side. */
  reset(): void {
    if (this.#state === "closed") return;
    const flags = this.#state === "calling" ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK;
    this.#owner.send(tcpFrame(this.#template(), { ...this.#fields(flags), window: 0 }));
    this.abort();
  }

  /** Gives up both sides without a word to the guest. */
  abort(): void {
    if (this.#state === "closed") return;
    this.stream?.abort();
    this.#close();
  }

  #close(): void {
    this.#uncork();
    this.#state = "closed";
    this.stream = undefined;
    this.#owner.closed(this);
  }

  get #finAcknowledged(): boolean {
    return this.#finSequence !== undefined && this.#sendUnacknowledged === (this.#finSequence + 1) >>> 0;
  }

  #resumeHost(): void {
    this.#hostPaused = false;
    this.stream?.resume();
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.stream?.uncork();
  }

  #windowSize(): number {
    return Math.max(0, this.#owner.bufferBytes - (this.stream?.unsentBytes ?? 0));
  }

  #fields(flags: number) {
    const scale = this.#guestScale === undefined ? 0 : OUR_WINDOW_SCALE;
    const window = Math.min(0xffff, this.#windowSize() >>> scale);
    this.#offeredWindow = window << scale;
    return {
      ...this.#ports(),
      sequence: this.#sendNext,
      acknowledgment: this.#receiveNext,
      flags,
      window,
    };
  }

  #ports() {
    return { sourcePort: this.ends.remotePort, destinationPort: this.ends.guestPort };
  }

  #template() {
    const { remoteAddress, guestAddress } = this.ends;
    return { ...this.#owner.macs(guestAddress), source: remoteAddress, destination: guestAddress };
  }
}
