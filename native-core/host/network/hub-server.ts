// The switches that connect machines: what runs in the network process. VM processes connect to a local socket, say which network they
// are plugged into, and exchange frames (network/switch/wire-format.ts). A network is there as long as somebody is plugged in.
//
// Frames of guests are taken for hostile here too, which is why this is a process of its own: whatever happens to it, machines and main
// go on, and a new one takes its place.
import { chmod, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { formatAddress } from "../../network/addresses.ts";
import type { Frame, FrameReceiver } from "../../network/frame.ts";
import { hostOnlyPlan } from "../../network/nat/address-plan.ts";
import { Nat } from "../../network/nat/nat.ts";
import { LearningSwitch, type SwitchPort } from "../../network/switch/learning-switch.ts";
import { FrameReader, type HubHello, messageHeader } from "../../network/switch/wire-format.ts";
import type { HubNetwork } from "../../protocol/network.ts";
import { parseHubHello } from "./hub-hello.ts";
import { nodeHostNetwork } from "./node-host-network.ts";

const NEWLINE = 0x0a;
const HELLO_LIMIT = 1024;
const HELLO_TIMEOUT_MS = 10_000;
const MAX_PORTS = 1024;
/** A machine that does not take its frames loses some, as at any switch. */
const MAX_UNSENT_BYTES = 2 << 20;

interface Network {
  readonly kind: HubHello["kind"];
  readonly name: string;
  readonly fabric: LearningSwitch;
  readonly ports: Map<Socket, HubHello>;
  /** DHCP and the host's address, in a host-only network. */
  readonly services: Nat | undefined;
}

export class HubServer {
  readonly #networks = new Map<string, Network>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_PORTS;
  }

  /** Only the user who runs the machines can connect. */
  async listen(path: string): Promise<void> {
    const isPipe = path.startsWith("\\\\.\\pipe\\");
    if (!isPipe) await unlink(path).catch(() => undefined);
    const mask = process.umask(0o077);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once("error", reject);
        this.#server.listen(path, resolve);
      });
      if (!isPipe) await chmod(path, 0o600);
    } finally {
      process.umask(mask);
    }
  }

  status(): HubNetwork[] {
    return [...this.#networks.values()].map(({ kind, name, ports, services }) => ({
      kind,
      name,
      ports: [...ports.values()].map(({ machineId, adapterId }) => ({ machineId, adapterId })),
      hostAddress: services ? formatAddress(hostOnlyPlan(name).gateway) : null,
      leases: (services?.leases ?? []).map(({ address, mac, hostName }) => ({
        address: formatAddress(address),
        mac,
        hostName,
      })),
    }));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.setTimeout(HELLO_TIMEOUT_MS, () => socket.destroy());
    let line = Buffer.alloc(0);
    const receive = (bytes: Buffer) => {
      line = Buffer.concat([line, bytes]);
      const end = line.indexOf(NEWLINE);
      if (end < 0 && line.length <= HELLO_LIMIT) return;
      socket.off("data", receive);
      socket.setTimeout(0);
      const hello = end < 0 ? undefined : parseHubHello(line.toString("utf8", 0, end));
      if (hello) this.#plug(socket, hello, line.subarray(end + 1));
      else socket.destroy();
    };
    socket.on("data", receive);
  }

  #plug(socket: Socket, hello: HubHello, first: Buffer): void {
    const network = this.#networkOf(hello);
    const reader = new FrameReader();
    const port = network.fabric.plug(receiverOf(socket));
    network.ports.set(socket, hello);
    const receive = (bytes: Buffer) => {
      for (const frame of reader.read(bytes)) port.send(frame);
      network.services?.flush();
      for (const other of network.ports.keys()) other.uncork();
      if (reader.isBroken) socket.destroy();
    };
    socket.on("data", receive);
    socket.on("close", () => this.#unplug(socket, port, network));
    if (first.length > 0) receive(first);
  }

  #unplug(socket: Socket, port: SwitchPort, network: Network): void {
    port.unplug();
    network.ports.delete(socket);
    if (network.ports.size > 0) return;
    network.services?.dispose();
    this.#networks.delete(keyOf(network));
  }

  #networkOf({ kind, network: name }: HubHello): Network {
    const known = this.#networks.get(keyOf({ kind, name }));
    if (known) return known;
    const fabric = new LearningSwitch();
    const network: Network = {
      kind,
      name,
      fabric,
      ports: new Map(),
      services: kind === "host-only" ? servicesOn(fabric, name) : undefined,
    };
    this.#networks.set(keyOf(network), network);
    return network;
  }
}

/** DHCP at the host's place in the network. What is for the host itself stays in the VM processes (host-only-end.ts). */
function servicesOn(fabric: LearningSwitch, name: string): Nat {
  const receiver: FrameReceiver = {
    receive: (frame) => {
      nat.receive(frame);
      return true;
    },
  };
  const port = fabric.plug(receiver);
  const nat = new Nat({
    host: nodeHostNetwork,
    adapter: {
      receive: (frame: Frame) => {
        port.send(frame);
        return true;
      },
      hasRoom: true,
      isIdle: true,
    },
    plan: hostOnlyPlan(name),
    settings: { reach: [], nameServers: [], isRouter: false },
  });
  return nat;
}

/** Frames go out together when what brought them has been read. */
function receiverOf(socket: Socket): FrameReceiver {
  return {
    receive(frame) {
      if (socket.writableLength > MAX_UNSENT_BYTES) return false;
      if (socket.writableCorked === 0) socket.cork();
      socket.write(messageHeader(frame));
      socket.write(frame.bytes);
      return true;
    },
  };
}

function keyOf({ kind, name }: { kind: string; name: string }): string {
  return `${kind} ${name}`;
}
