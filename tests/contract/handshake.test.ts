import { once } from "node:events";
import { os } from "@orpc/server";
import { RPCHandler } from "@orpc/server/ws";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { CONTRACT_VERSION, type HostInfo } from "../../main/contract/schemas.ts";
import { connectRpc } from "../../main/rpc/client.ts";

let server: WebSocketServer;

afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A host of which only the version matters. */
async function hostOfVersion(contractVersion: number): Promise<number> {
  const info: HostInfo = {
    contractVersion,
    appVersion: "9.9.9",
    platform: "test",
    cpuModel: "test",
    cpuCount: 1,
    memoryBytes: 1,
    freeMemoryBytes: 1,
    freeDiskBytes: 1,
    home: "/",
    starterAvailable: false,
    notices: [],
  };
  const handler = new RPCHandler({ host: { info: os.handler(() => info) } });
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/rpc" });
  server.on("connection", (socket) => void handler.upgrade(socket));
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("the handshake of the contract", () => {
  it("lets clients of the same version in", async () => {
    const { client, close } = await connectRpc({ port: await hostOfVersion(CONTRACT_VERSION), token: "x" });
    expect((await client.host.info()).appVersion).toBe("9.9.9");
    close();
  });

  it("turns clients of another version away, saying what to do", async () => {
    const connecting = connectRpc({ port: await hostOfVersion(CONTRACT_VERSION + 1), token: "x" });
    await expect(connecting).rejects.toMatchObject({
      code: "VERSION_MISMATCH",
      details: { remedy: expect.stringContaining("host stop") },
    });
  });
});
