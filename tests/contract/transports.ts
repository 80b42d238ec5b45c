// The two ways a client reaches the contract, for tests that run on both: a WebSocket to the Node host, and a MessagePort as Electron
// hands one to a window (here from worker_threads).
import { MessageChannel } from "node:worker_threads";
import { createORPCClient, ORPCError } from "@orpc/client";
import { RPCLink } from "@orpc/client/message-port";
import { expect } from "vitest";
import { connectRpc, type RpcClient, validationPlugins } from "../../main/rpc/client.ts";
import { serveMessagePort } from "../../main/rpc/message-port.ts";
import { createRouter } from "../../main/rpc/router.ts";
import type { App } from "../../main/services/app.ts";
import { startWebHost } from "../../main/web-host/web-host.ts";

export interface Connected {
  readonly client: RpcClient;
  close(): Promise<void>;
}

export type Transport = (app: App) => Promise<Connected>;

const overWebSocket: Transport = async (app) => {
  const host = await startWebHost(app, { port: 0 });
  const connection = await connectRpc({ port: host.port, token: host.access.bearerToken });
  return {
    client: connection.client,
    async close() {
      connection.close();
      await host.close();
    },
  };
};

const overMessagePort: Transport = async (app) => {
  const { port1, port2 } = new MessageChannel();
  serveMessagePort(createRouter(app), port1);
  const client = createORPCClient<RpcClient>(new RPCLink({ port: port2, plugins: validationPlugins() }));
  port2.start();
  return {
    client,
    async close() {
      port1.close();
      port2.close();
    },
  };
};

export const TRANSPORTS: readonly (readonly [string, Transport])[] = [
  ["a WebSocket", overWebSocket],
  ["a MessagePort", overMessagePort],
];

/** What a client is told of a command that is refused. */
export async function failureOf(command: Promise<unknown>): Promise<unknown> {
  const error = await command.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ORPCError);
  expect((error as ORPCError<string, unknown>).code).toBe("FAILURE");
  return (error as ORPCError<string, unknown>).data;
}
