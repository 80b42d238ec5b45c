// The VM process around an engine, whichever it is: hello, requests, events, and every way for it to end.
//
//   machine stopped            -> exit 0 (1 after a failure), when everything is on disk and said
//   main gone                  -> the guest stops as by a power cut, with its disks flushed: there is nobody left to run it for
//   SIGTERM, SIGINT            -> the same
//   uncaught error             -> said to main as `failed`, exit 1
//   kill -9                    -> disks as after a power failure; main notices and explains
import { ENGINE_PROTOCOL_VERSION, type EngineOutbound } from "../protocol/engine.ts";
import type { Engine } from "../protocol/engine-interface.ts";
import { RequestDispatcher } from "../protocol/request-dispatcher.ts";
import { mainPort } from "./main-port.ts";

/** An engine that can be told of errors outside of its requests. */
export interface HostedEngine extends Engine {
  fail(error: unknown): Promise<void>;
}

/** Ending takes longer only when a disk hangs; nobody is helped by waiting for it. */
const END_LIMIT_MS = 30_000;

export function runVmProcess(engine: HostedEngine): void {
  const port = mainPort();
  let lastSend: Promise<void> = Promise.resolve();
  const send = (message: EngineOutbound) => {
    lastSend = port.send(message);
  };
  let exitCode = 0;
  engine.onEvent((event) => {
    if (event.kind === "runState" && event.reason === "failed") exitCode = 1;
  });
  const dispatcher = new RequestDispatcher(engine, send);

  const exit = async () => {
    setTimeout(() => process.exit(1), END_LIMIT_MS).unref();
    await dispatcher.whenQuiet();
    await lastSend;
    process.exit(exitCode);
  };
  void engine.ended.then(exit);

  const abandon = () => void engine.abandon().catch(fail);
  const fail = (error: unknown) => {
    exitCode = 1;
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    void engine.fail(error).then(exit, () => process.exit(1));
  };
  process.on("uncaughtException", fail);
  process.on("SIGTERM", abandon);
  process.on("SIGINT", abandon);
  port.onDisconnect(abandon);
  port.onMessage((message) => void dispatcher.receive(message));
  send({ kind: "hello", protocol: ENGINE_PROTOCOL_VERSION, pid: process.pid });
}
