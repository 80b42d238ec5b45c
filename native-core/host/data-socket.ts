// The data plane of a machine: a local socket on which clients name a channel in one line and then speak its bytes
// (DATA CHANNELS in protocol/engine.ts). Only the user who runs the machine can connect.
import { chmod, unlink } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { AppError } from "../common/errors.ts";
import { DATA_CHANNELS, type DataChannel } from "../protocol/engine.ts";

/** `first`: bytes that arrived behind the channel line already. */
export type ChannelHandler = (channel: DataChannel, socket: Socket, first: Uint8Array) => void;

const LINE_LIMIT = 64;
const LINE_TIMEOUT_MS = 10_000;
const CLIENTS_MAX = 64;
/** A client that takes nothing doesn't hold up the end of its machine. */
const CLOSE_MS = 500;
const NEWLINE = 0x0a;

export class DataSocket {
  readonly #server: Server;
  readonly #path: string;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** `path` is a Unix socket or, on Windows, the name of a pipe. Throws AppError IN_USE or IO_ERROR. */
  static async listen(path: string, handler: ChannelHandler): Promise<DataSocket> {
    const isPipe = path.startsWith("\\\\.\\pipe\\");
    // What a killed process left behind; a living one has another name, since names are per start.
    if (!isPipe) await unlink(path).catch(() => undefined);
    const server = createServer();
    const data = new DataSocket(server, path);
    server.maxConnections = CLIENTS_MAX;
    server.on("connection", (socket) => data.#accept(socket, handler));
    const mask = process.umask(0o077);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
      if (!isPipe) await chmod(path, 0o600);
    } catch (error) {
      const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      throw new AppError(
        inUse ? "IN_USE" : "IO_ERROR",
        `the data socket ${path} can't be opened: ${error instanceof Error ? error.message : String(error)}`,
        { file: path, field: "dataSocket", consequence: "The machine was not started." },
        { cause: error },
      );
    } finally {
      process.umask(mask);
    }
    return data;
  }

  /** Ends all connections, after their last bytes if they take them soon. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, CLOSE_MS);
    await closed;
    clearTimeout(timer);
    await unlink(this.#path).catch(() => undefined);
  }

  #accept(socket: Socket, handler: ChannelHandler): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    socket.setTimeout(LINE_TIMEOUT_MS, () => socket.destroy());
    let line = Buffer.alloc(0);
    const receive = (bytes: Buffer) => {
      line = Buffer.concat([line, bytes]);
      const end = line.indexOf(NEWLINE);
      if (end < 0 && line.length <= LINE_LIMIT) return;
      socket.off("data", receive);
      socket.setTimeout(0);
      const channel = line.toString("latin1", 0, end);
      if (end < 0 || !isChannel(channel)) socket.destroy();
      else handler(channel, socket, line.subarray(end + 1));
    };
    socket.on("data", receive);
  }
}

function isChannel(name: string): name is DataChannel {
  return (DATA_CHANNELS as readonly string[]).includes(name);
}
