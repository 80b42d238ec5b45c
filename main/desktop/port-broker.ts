// Gives windows their ports: one for the contract, one per display or console. The bytes of the latter go between the window and the
// relay process; main only introduces them.
import { type IpcMainEvent, ipcMain, MessageChannelMain } from "electron";
import { isAppError } from "../../native-core/common/errors.ts";
import { serveMessagePort } from "../rpc/message-port.ts";
import type { AppRouter } from "../rpc/router.ts";
import type { App } from "../services/app.ts";
import { vmOf } from "../services/machines/lifecycle.ts";
import type { DataRelay } from "./data-relay.ts";
import { PORT, REQUEST_PORT } from "./ipc-names.ts";
import { type PortTarget, parsePortTarget } from "./port-targets.ts";
import { isOwnPage } from "./session-policy.ts";

const ID_MAX = 256;

export function brokerPorts(app: App, router: AppRouter, relay: DataRelay): void {
  ipcMain.on(REQUEST_PORT, (event, id: unknown, target: unknown) => {
    if (!isTrustedSender(event) || typeof id !== "string" || id.length > ID_MAX) return;
    const wanted = parsePortTarget(target);
    if (wanted === null) return;
    const { port1, port2 } = new MessageChannelMain();
    connect(wanted, port1);
    event.senderFrame?.postMessage(PORT, id, [port2]);
  });

  function connect(wanted: PortTarget, port: Electron.MessagePortMain): void {
    if (wanted.kind === "rpc") {
      serveMessagePort(router, port);
      return;
    }
    try {
      const { dataSocket } = vmOf(app.context.registry.get(wanted.machineId));
      relay.connect({ dataSocket, channel: wanted.channel }, port);
    } catch (error) {
      if (!isAppError(error)) throw error;
      // Not running: the window sees its port closed, as a browser sees its WebSocket refused.
      port.close();
    }
  }
}

/** Only the top frame of our own page; a frame or a page from elsewhere gets no answer. */
function isTrustedSender(event: IpcMainEvent): boolean {
  const frame = event.senderFrame;
  return frame !== null && frame.parent === null && isOwnPage(frame.url);
}
