// The relay process: connects one port of a window with one data socket of a VM process, many times over. Raw bytes both ways.
import { createConnection } from "node:net";
import type { DataChannel } from "../../native-core/protocol/engine.ts";

export interface RelayRequest {
  readonly dataSocket: string;
  readonly channel: DataChannel;
}

/** The part of MessagePortMain that is used, so that tests can bring a port of worker_threads. */
export interface RelayPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
  on(event: "close", listener: () => void): void;
  start(): void;
  close(): void;
}

/**
 * A port does not tell how far its reader has come. It can't be flooded all the same: RFB sends a frame only when it was asked for one,
 * and a serial port is slow beside the terminal that shows it.
 */
export function relay({ dataSocket, channel }: RelayRequest, port: RelayPort): void {
  const socket = createConnection(dataSocket);
  socket.setNoDelay(true);
  socket.write(`${channel}\n`);
  socket.on("data", (bytes) => port.postMessage(new Uint8Array(bytes)));
  // `close` follows every error.
  socket.on("error", () => undefined);
  socket.on("close", () => port.close());
  port.on("message", ({ data }) => {
    if (data instanceof Uint8Array) socket.write(data);
  });
  port.on("close", () => socket.destroy());
  port.start();
}

/** What Electron adds to `process` in a utility process. */
interface UtilityParent {
  on(event: "message", listener: (event: { data: unknown; ports: readonly RelayPort[] }) => void): void;
}

const { parentPort } = process as unknown as { parentPort?: UtilityParent };
parentPort?.on("message", ({ data, ports }) => {
  const [port] = ports;
  if (port) relay(data as RelayRequest, port);
});
