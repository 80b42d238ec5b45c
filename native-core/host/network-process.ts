// Entry of the network process: the switches between machines (network/hub-server.ts). Main starts one when the first machine needs it.
//
//   main gone, SIGTERM, SIGINT  -> it ends; machines are on their own then
//   uncaught error, kill -9     -> main starts another one, to which the machines connect again
import { type HubOutbound, hubInboundSchema } from "../protocol/network.ts";
import { mainPort } from "./main-port.ts";
import { HubServer } from "./network/hub-server.ts";

const port = mainPort();
const server = new HubServer();
const send = (message: HubOutbound) => void port.send(message);
const end = () => void server.close().finally(() => process.exit(0));

port.onDisconnect(end);
process.on("SIGTERM", end);
process.on("SIGINT", end);
port.onMessage((message) => {
  const parsed = hubInboundSchema.safeParse(message);
  if (!parsed.success) return;
  const inbound = parsed.data;
  if (inbound.kind === "status") {
    send({ kind: "status", id: inbound.id, networks: server.status() });
    return;
  }
  server.listen(inbound.socket).then(
    () => send({ kind: "listening" }),
    (error: unknown) => send({ kind: "failure", message: error instanceof Error ? error.message : String(error) }),
  );
});
send({ kind: "hello" });
