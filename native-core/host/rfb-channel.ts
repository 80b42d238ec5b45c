// The display server of a machine on this host: Node's zlib, timers and sockets for the RFB server, and the viewer's keys and pointer
// for the machine.
import type { Duplex } from "node:stream";
import { constants, deflateRaw } from "node:zlib";
import type { DisplaySource } from "../devices/display-source.ts";
import type { ByteChannel } from "../display/byte-channel.ts";
import { RfbServer } from "../display/rfb-server.ts";
import type { Machine } from "../machine/machine.ts";

export function displayServer(machine: Machine, source: DisplaySource, name: string): RfbServer {
  return new RfbServer({
    source,
    name,
    leds: () => machine.leds,
    input: {
      key: (key, down) => machine.post({ kind: "key", key, down }),
      pointer: ({ x, y, width, height, dx, dy, wheel, buttons }) =>
        machine.post({ kind: "pointer", dx, dy, x: x / width, y: y / height, wheel, buttons }),
      ...(machine.resizable && {
        resize: (width: number, height: number) => machine.post({ kind: "resize", width, height }),
      }),
    },
    schedule(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    deflate: (data) =>
      new Promise((resolve, reject) => {
        const options = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };
        deflateRaw(data, options, (error, result) => (error ? reject(error) : resolve(result)));
      }),
  });
}

/** A socket as the server sees it. `first`: bytes that arrived already. */
export function socketChannel(socket: Duplex, first: Uint8Array): ByteChannel {
  const channel: ByteChannel = {
    onData: undefined,
    onClose: undefined,
    write: (bytes) => {
      if (socket.writable) socket.write(bytes);
    },
    writeAll(pieces) {
      socket.cork();
      for (const piece of pieces) channel.write(piece);
      socket.uncork();
    },
    close: () => {
      channel.onClose = undefined;
      socket.end();
    },
    get bufferedBytes() {
      return socket.writableLength;
    },
  };
  socket.on("data", (bytes: Uint8Array) => channel.onData?.(new Uint8Array(bytes)));
  socket.on("close", () => channel.onClose?.());
  if (first.length > 0) setImmediate(() => channel.onData?.(first));
  return channel;
}
