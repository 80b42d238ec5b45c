// The browser shell: the Node host that served this page is also the other end of every channel, over WebSockets.
// The session cookie travels by itself; the host checks it together with Host and Origin.
import { RPCLink } from "@orpc/client/websocket";
import { linkPlugins } from "./link-plugins.ts";
import { AccessDenied, type DataChannelName, type DataSocket, type Platform, type RpcConnection } from "./platform.ts";

function socketUrl(path: string): string {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** A WebSocket does not say why it was refused; the page itself does: 401 or 403 means that the session is over. */
async function refusalOf(): Promise<Error> {
  try {
    const response = await fetch("/", { method: "HEAD", cache: "no-store", credentials: "same-origin" });
    if (response.status === 401 || response.status === 403) return new AccessDenied("the session is over");
  } catch {
    // Not reachable at all: the ordinary case of a host that was closed.
  }
  return new Error("the host does not answer");
}

async function connect(): Promise<RpcConnection> {
  const socket = new WebSocket(socketUrl("/rpc"));
  const opened = await new Promise<boolean>((resolve) => {
    socket.addEventListener("open", () => resolve(true), { once: true });
    socket.addEventListener("close", () => resolve(false), { once: true });
  });
  if (!opened) throw await refusalOf();
  return {
    link: new RPCLink({ websocket: socket, plugins: linkPlugins() }),
    closed: new Promise((resolve) => socket.addEventListener("close", () => resolve(), { once: true })),
    close: () => socket.close(),
  };
}

function openDataChannel(machineId: string, channel: DataChannelName): DataSocket {
  const socket = new WebSocket(socketUrl(`/data/${machineId}/${channel}`));
  socket.binaryType = "arraybuffer";
  return socket;
}

export const browserPlatform: Platform = { kind: "browser", connect, openDataChannel, pathOf: () => null };
