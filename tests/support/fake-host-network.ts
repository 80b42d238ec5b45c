// A host for the NAT whose sockets, time and name servers a test plays.
import type {
  DatagramReceiver,
  HostDatagrams,
  HostEndpoint,
  HostNetwork,
  HostStream,
  HostStreamEvents,
} from "../../native-core/network/nat/host-network.ts";

export class FakeStream implements HostStream {
  readonly to: HostEndpoint | undefined;
  events!: HostStreamEvents;
  written = "";
  unsentBytes = 0;
  ended = false;
  aborted = false;
  paused = false;

  constructor(to?: HostEndpoint) {
    this.to = to;
  }

  write(bytes: Uint8Array): void {
    this.written += Buffer.from(bytes).toString("latin1");
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    this.ended = true;
  }

  abort(): void {
    this.aborted = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

export class FakeDatagrams implements HostDatagrams {
  readonly receive: DatagramReceiver;
  readonly sent: { payload: string; address: string; port: number }[] = [];
  closed = false;

  constructor(receive: DatagramReceiver) {
    this.receive = receive;
  }

  send(payload: Uint8Array, address: Uint8Array, port: number): void {
    this.sent.push({ payload: Buffer.from(payload).toString("latin1"), address: address.join("."), port });
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeHostNetwork implements HostNetwork {
  atMs = 0;
  readonly streams: FakeStream[] = [];
  readonly datagrams: FakeDatagrams[] = [];
  readonly listeners = new Map<number, (stream: HostStream) => HostStreamEvents>();
  readonly pinged: string[] = [];
  own: Uint8Array[] = [];
  hasIpv6 = false;
  /** Ports that another program has. */
  readonly takenPorts = new Set<number>();
  #timers: { atMs: number; every: number | undefined; callback: () => void }[] = [];

  nowMs(): number {
    return this.atMs;
  }

  setInterval(ms: number, callback: () => void) {
    return this.#timer(ms, ms, callback);
  }

  setTimer(ms: number, callback: () => void) {
    return this.#timer(ms, undefined, callback);
  }

  #timer(ms: number, every: number | undefined, callback: () => void) {
    const timer = { atMs: this.atMs + ms, every, callback };
    this.#timers.push(timer);
    return { dispose: () => void (this.#timers = this.#timers.filter((each) => each !== timer)) };
  }

  get timers(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const end = this.atMs + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!next || next.atMs > end) break;
      this.atMs = next.atMs;
      if (next.every === undefined) this.#timers = this.#timers.filter((each) => each !== next);
      else next.atMs += next.every;
      next.callback();
    }
    this.atMs = end;
  }

  random(bytes: Uint8Array): void {
    bytes.fill(0xff);
  }

  connect(to: HostEndpoint, events: HostStreamEvents): HostStream {
    const stream = new FakeStream(to);
    stream.events = events;
    this.streams.push(stream);
    return stream;
  }

  async listen(on: HostEndpoint, accept: (stream: HostStream) => HostStreamEvents) {
    if (this.takenPorts.has(on.port)) throw new Error("taken");
    this.listeners.set(on.port, accept);
    return { port: on.port, dispose: () => void this.listeners.delete(on.port) };
  }

  openDatagrams(_family: 4 | 6, receive: DatagramReceiver): HostDatagrams {
    const socket = new FakeDatagrams(receive);
    this.datagrams.push(socket);
    return socket;
  }

  async bindDatagrams(_on: HostEndpoint, receive: DatagramReceiver): Promise<HostDatagrams> {
    return this.openDatagrams(4, receive);
  }

  async ping(address: Uint8Array): Promise<boolean> {
    this.pinged.push(address.join("."));
    return true;
  }

  ownAddresses(): readonly Uint8Array[] {
    return this.own;
  }

  nameServers(): readonly HostEndpoint[] {
    return [{ address: Uint8Array.of(9, 9, 9, 9), port: 53 }];
  }
}
