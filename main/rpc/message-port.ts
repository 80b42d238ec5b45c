// The contract over a MessagePort: how an Electron window reaches main. Any port will do (MessagePortMain, worker_threads, DOM).
import { RPCHandler } from "@orpc/server/message-port";
import type { AppRouter } from "./router.ts";

export interface ServedPort {
  postMessage(message: unknown, transfer?: readonly never[]): void;
  start(): void;
}

/** Answers requests on `port` until the other side closes it. */
export function serveMessagePort(router: AppRouter, port: ServedPort): void {
  new RPCHandler(router).upgrade(port as never);
  port.start();
}
