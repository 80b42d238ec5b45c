// WebSocket upgrades: /rpc for the contract, /data for displays and consoles. Refused ones get an HTTP answer and no socket.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { RPCHandler } from "@orpc/server/ws";
import { WebSocketServer } from "ws";
import { isAppError } from "../../native-core/common/errors.ts";
import type { AppRouter } from "../rpc/router.ts";
import type { App } from "../services/app.ts";
import { vmOf } from "../services/machines/lifecycle.ts";
import type { AccessControl } from "./access.ts";
import { parseDataPath, pipeDataChannel } from "./data-channel.ts";
import { type GuardedRequest, guard } from "./request-guard.ts";

/** The largest message of the contract is a configuration with a long description. */
const RPC_MESSAGE_MAX_BYTES = 4 << 20;
const DATA_MESSAGE_MAX_BYTES = 1 << 20;

export interface UpgradeOptions {
  readonly app: App;
  readonly router: AppRouter;
  readonly access: AccessControl;
  readonly port: () => number;
}

export function createUpgradeHandler(options: UpgradeOptions) {
  const { app, router, access, port } = options;
  const rpc = new RPCHandler(router);
  const rpcServer = new WebSocketServer({ noServer: true, maxPayload: RPC_MESSAGE_MAX_BYTES });
  const dataServer = new WebSocketServer({ noServer: true, maxPayload: DATA_MESSAGE_MAX_BYTES });

  return {
    handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      socket.on("error", () => socket.destroy());
      const refusal = guard(guardedRequest(request, true), port(), access);
      if (refusal) return refuse(socket, refusal.status, refusal.reason);
      const { pathname } = new URL(request.url ?? "/", "http://host");
      if (pathname === "/rpc") {
        rpcServer.handleUpgrade(request, socket, head, (client) => void rpc.upgrade(client));
        return;
      }
      const target = parseDataPath(pathname);
      if (target === null) return refuse(socket, 404, "There is no such channel.");
      try {
        const vm = vmOf(app.context.registry.get(target.machineId));
        dataServer.handleUpgrade(request, socket, head, (client) =>
          pipeDataChannel(client, vm.dataSocket, target.channel),
        );
      } catch (error) {
        if (!isAppError(error)) throw error;
        refuse(socket, error.code === "NOT_FOUND" ? 404 : 409, error.message);
      }
    },
    close(): void {
      for (const server of [rpcServer, dataServer]) {
        for (const client of server.clients) client.close(1001, "Terrarium is closing");
        server.close();
      }
    },
    terminate(): void {
      for (const server of [rpcServer, dataServer]) for (const client of server.clients) client.terminate();
    },
  };
}

export function guardedRequest(request: IncomingMessage, isUpgrade: boolean): GuardedRequest {
  const { host, origin, cookie, authorization } = request.headers;
  return { method: request.method ?? "GET", isUpgrade, host, origin, cookie, authorization };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  421: "Misdirected Request",
};

function refuse(socket: Duplex, status: number, reason: string): void {
  const body = `${reason}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Error"}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
