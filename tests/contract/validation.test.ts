// Untrusted arguments: what reaches the server without the client's own checks.
import { rm } from "node:fs/promises";
import { createORPCClient, ORPCError } from "@orpc/client";
import { RPCLink } from "@orpc/client/websocket";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { RpcClient } from "../../main/rpc/client.ts";
import type { App } from "../../main/services/app.ts";
import { startWebHost, type WebHost } from "../../main/web-host/web-host.ts";
import { startTestApp } from "../support/test-app.ts";

let folder: string;
let app: App;
let host: WebHost;
let socket: WebSocket;
let client: RpcClient;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
  host = await startWebHost(app, { port: 0 });
  socket = new WebSocket(`ws://127.0.0.1:${host.port}/rpc`, {
    headers: { Authorization: `Bearer ${host.access.bearerToken}` },
  });
  client = createORPCClient<RpcClient>(new RPCLink({ websocket: socket as never }));
});

afterEach(async () => {
  socket.close();
  await host.close();
  await app.close("power-off");
  await rm(folder, { recursive: true });
});

async function refused(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ORPCError);
  return (error as ORPCError<string, unknown>).data;
}

describe("arguments that break the contract", () => {
  it.each([
    [
      "an id that is a path",
      (c: RpcClient) => c.machines.get({ id: "../../etc" }),
      { code: "INVALID_ARGUMENT", field: "id" },
    ],
    [
      "a missing field",
      (c: RpcClient) => c.machines.create({ kernel: null } as never),
      { code: "INVALID_ARGUMENT", field: "name" },
    ],
    [
      "a number where text belongs",
      (c: RpcClient) => c.machines.createStarter({ name: 5 } as never),
      { field: "name" },
    ],
    ["no arguments at all", (c: RpcClient) => c.machines.start(undefined as never), { code: "INVALID_ARGUMENT" }],
    [
      "an endless text",
      (c: RpcClient) => c.machines.sendText({ id: "000000000000", text: "x".repeat(70_000) }),
      { code: "INVALID_ARGUMENT", field: "text" },
    ],
  ])("such as %s are refused with the field's name", async (_, call, expected) => {
    expect(await refused(call(client))).toMatchObject(expected);
  });

  it.each([
    ["memory below the range", { memoryMiB: 1 }, "memoryMiB"],
    ["an unknown setting", { turbo: true }, "turbo"],
    ["an empty name", { name: "  " }, "name"],
    ["a name with a slash", { name: "a/b" }, "name"],
    [
      "nine disks",
      { disks: Array.from({ length: 9 }, (_, n) => ({ id: `d${n}`, file: "x", format: "raw", readOnly: true })) },
      "disks",
    ],
  ])("such as a configuration with %s are refused and change nothing", async (_, change, field) => {
    const machine = await client.machines.createStarter({});
    const wrong = { ...machine.config, ...change } as typeof machine.config;
    expect(await refused(client.machines.configure({ id: machine.id, config: wrong }))).toMatchObject({
      code: "INVALID_CONFIG",
      field,
    });
    expect((await client.machines.get({ id: machine.id })).revision).toBe(machine.revision);
  });

  it("do not end the connection", async () => {
    await refused(client.machines.get({ id: "nonsense" }));
    socket.send("not a message of the protocol");
    expect(await client.machines.list()).toEqual([]);
  });
});
