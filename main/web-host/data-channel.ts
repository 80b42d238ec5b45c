// The data plane of the Node host: one WebSocket per display or console, piped to the VM's data socket. Binary frames carry the raw
// bytes; neither side is read faster than the other side takes it.
import { createConnection } from "node:net";
import type { WebSocket } from "ws";
import { DATA_CHANNELS, type DataChannel } from "../../native-core/protocol/engine.ts";

/** Bytes waiting in the WebSocket above which the VM is not read any further. */
const HIGH_WATER_BYTES = 4 << 20;

/** `/data/<machineId>/<channel>` with `rfb`, `console/0` or `console/0/tail` as the channel. */
export function parseDataPath(path: string): { machineId: string; channel: DataChannel } | null {
  const match = /^\/data\/([0-9a-f]{12})\/([a-z0-9/]+)$/.exec(path);
  const channel = DATA_CHANNELS.find((each) => each === match?.[2]?.replaceAll("/", " "));
  return match?.[1] && channel ? { machineId: match[1], channel } : null;
}

/** Connects `client` to the VM until either side ends. */
export function pipeDataChannel(client: WebSocket, dataSocket: string, channel: DataChannel): void {
  const vm = createConnection(dataSocket);
  vm.setNoDelay(true);
  vm.write(`${channel}\n`);
  vm.on("data", (bytes) => {
    client.send(bytes, { binary: true }, () => {
      if (vm.isPaused() && client.bufferedAmount < HIGH_WATER_BYTES / 2) vm.resume();
    });
    if (client.bufferedAmount > HIGH_WATER_BYTES) vm.pause();
  });
  vm.on("drain", () => client.resume());
  // 1011: the machine's side failed; a plain end (1000) is a machine that was switched off.
  vm.on("error", () => client.close(1011, "the machine can't be reached"));
  vm.on("close", () => client.close(1000));
  client.on("message", (message) => {
    const bytes = Buffer.isBuffer(message)
      ? message
      : Buffer.concat(Array.isArray(message) ? message : [Buffer.from(message)]);
    if (!vm.write(bytes)) client.pause();
  });
  client.on("close", () => vm.destroy());
  client.on("error", () => vm.destroy());
}
