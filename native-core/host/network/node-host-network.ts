// The host's sockets, name servers and addresses as the NAT (native-core/network/nat) wants them.
import { execFile } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { Resolver } from "node:dns";
import { createServer, Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { toDisposable } from "../../common/disposable.ts";
import { formatAddress, parseAddress } from "../../network/addresses.ts";
import type {
  HostEndpoint,
  HostListener,
  HostNetwork,
  HostStream,
  HostStreamEvents,
} from "../../network/nat/host-network.ts";
import { classify } from "../../network/reach-policy.ts";
import { bindError } from "./bind-error.ts";
import { bindDatagrams, openDatagrams } from "./node-datagrams.ts";
import { NodeStream } from "./node-stream.ts";

/** Interfaces and name servers change when a notebook moves; asking for them at every packet would cost too much. */
const FRESH_MS = 5000;
const DNS_PORT = 53;
const BACKLOG = 128;

function remembered<T>(read: () => T): () => T {
  let value: T | undefined;
  let atMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (value === undefined || nowMs - atMs > FRESH_MS) {
      value = read();
      atMs = nowMs;
    }
    return value;
  };
}

const ownAddresses = remembered(() =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined),
);

const nameServers = remembered(() =>
  new Resolver()
    .getServers()
    .map(parseEndpoint)
    .filter((endpoint) => endpoint !== undefined),
);

/** `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
export function parseEndpoint(text: string): HostEndpoint | undefined {
  const bare = parseAddress(text);
  if (bare) return { address: bare, port: DNS_PORT };
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text);
  const address = match ? parseAddress(match[1] as string) : undefined;
  const port = Number(match?.[2]);
  return address && port >= 1 && port <= 65_535 ? { address, port } : undefined;
}

export const nodeHostNetwork: HostNetwork = {
  nowMs: () => performance.now(),
  setInterval(ms, callback) {
    const timer = setInterval(callback, ms);
    timer.unref();
    return toDisposable(() => clearInterval(timer));
  },
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return toDisposable(() => clearTimeout(timer));
  },
  random: (bytes) => void randomFillSync(bytes),
  connect({ address, port }, events: HostStreamEvents): HostStream {
    const socket = new Socket({ allowHalfOpen: true });
    const stream = new NodeStream(socket);
    stream.listen(events);
    socket.connect({ host: formatAddress(address), port });
    return stream;
  },
  listen({ address, port }, accept) {
    const host = formatAddress(address);
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.on("connection", (socket) => {
      const stream = new NodeStream(socket);
      stream.listen(accept(stream));
    });
    return new Promise<HostListener>((resolve, reject) => {
      server.once("error", (error) => reject(bindError(error, "tcp", host, port)));
      server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => {
        const bound = server.address();
        // A later error (out of descriptors while accepting) costs that connection only.
        server.on("error", () => undefined);
        resolve({
          port: typeof bound === "object" && bound ? bound.port : port,
          dispose: () => void server.close(),
        });
      });
    });
  },
  openDatagrams,
  bindDatagrams,
  ping,
  ownAddresses,
  nameServers,
  get hasIpv6() {
    return ownAddresses().some((address) => address.length === 16 && classify(address) === "public");
  },
};

/** Echo requests take rights that programs don't have; the system's own `ping` has them. */
function ping(address: Uint8Array, timeoutMs: number): Promise<boolean> {
  const seconds = String(Math.max(1, Math.round(timeoutMs / 1000)));
  const limits = process.platform === "win32" ? ["-n", "1", "-w", String(timeoutMs)] : ["-c", "1", "-W", seconds];
  return new Promise((resolve) => {
    execFile("ping", [...limits, formatAddress(address)], { timeout: timeoutMs + 1000, windowsHide: true }, (error) =>
      resolve(error === null),
    );
  });
}
