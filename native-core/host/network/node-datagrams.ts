// Node's datagram sockets for a NAT.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { formatAddress, parseAddress } from "../../network/addresses.ts";
import type { DatagramReceiver, HostDatagrams, HostEndpoint } from "../../network/nat/host-network.ts";
import { bindError } from "./bind-error.ts";

/** Datagrams given to the kernel but not taken yet; a guest that sends faster than the line loses some, as on a real one. */
const MAX_PENDING = 256;

function wrap(socket: Socket): HostDatagrams {
  let pending = 0;
  let closed = false;
  // An unreachable peer is not worth more than the silence that a lost datagram makes.
  socket.on("error", () => undefined);
  return {
    send(payload, address, port) {
      if (closed || pending >= MAX_PENDING) return;
      pending++;
      socket.send(payload, port, formatAddress(address), () => {
        pending--;
      });
    },
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}

function makeSocket(family: 4 | 6, receive: DatagramReceiver): Socket {
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", ipv6Only: family === 6 });
  socket.on("message", (payload, { address, port }) => {
    // A zone (`fe80::1%eth0`) says which interface it was; addresses of that kind are not served.
    const from = parseAddress(address);
    if (from) receive(payload, from, port);
  });
  return socket;
}

export function openDatagrams(family: 4 | 6, receive: DatagramReceiver): HostDatagrams {
  const socket = makeSocket(family, receive);
  socket.bind(0);
  socket.unref();
  return wrap(socket);
}

export async function bindDatagrams(on: HostEndpoint, receive: DatagramReceiver): Promise<HostDatagrams> {
  const socket = makeSocket(on.address.length === 4 ? 4 : 6, receive);
  const address = formatAddress(on.address);
  try {
    const listening = once(socket, "listening");
    socket.bind({ port: on.port, address, exclusive: true });
    await listening;
  } catch (error) {
    socket.close();
    throw bindError(error, "udp", address, on.port);
  }
  socket.unref();
  return wrap(socket);
}
