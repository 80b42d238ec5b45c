// The contract over a MessagePort: how an Electron window reaches main. Any port will do (MessagePortMain, worker_threads, DOM).
import type { SupportedMessagePort } from "@orpc/client/message-port";
import { RPCHandler } from "@orpc/server/message-port";
import type { AppRouter } from "./router.ts";

/** Answers requests on `port` until the other side closes it. */
export function serveMessagePort(router: AppRouter, port: SupportedMessagePort & { start(): void }): void {
  new RPCHandler(router).upgrade(port);
  port.start();
}
