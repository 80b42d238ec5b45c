import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { os } from "@orpc/server";
import { RPCHandler } from "@orpc/server/ws";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { CONTRACT_VERSION, type HostInfo } from "../../main/contract/schemas.ts";
import { connectRpc } from "../../main/rpc/client.ts";
import { temporaryFolder } from "../support/test-app.ts";

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
    cpuLoad: 0,
    freeDiskBytes: 1,
    home: "/",
    starterAvailable: false,
    notices: [],
  };
  const handler = new RPCHandler({
    host: { info: os.handler(() => info) },
    // Ends like a host that is killed.
    machines: { list: os.handler(() => server.clients.forEach((each) => each.terminate())) },
  });
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/rpc" });
  server.on("connection", (socket) => void handler.upgrade(socket));
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const CLI = fileURLToPath(new URL("../../main/cli/terrarium.ts", import.meta.url));

/** A data folder on which a host of that version runs, as the command line sees it. */
async function homeOfHost(pid: number, contractVersion: number): Promise<string> {
  const home = await temporaryFolder();
  const control = { pid, port: await hostOfVersion(contractVersion), token: "x", contractVersion, startedAtMs: 0 };
  await mkdir(path.join(home, "run"));
  await writeFile(path.join(home, "run", "host.json"), JSON.stringify(control));
  return home;
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

  it("is not needed to end a host of another version, which is what the error advises", async () => {
    const host = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"]);
    const ended = once(host, "exit");
    const home = await homeOfHost(host.pid ?? 0, CONTRACT_VERSION + 1);
    await promisify(execFile)(process.execPath, [CLI, "--home", home, "host", "stop"]);
    expect((await ended)[1]).toBe("SIGTERM");
    await rm(home, { recursive: true });
  });
});

describe("a host that ends while a command waits for it", () => {
  it("is named, not blamed on a defect", async () => {
    const home = await homeOfHost(process.pid, CONTRACT_VERSION);
    const listing = promisify(execFile)(process.execPath, [CLI, "--home", home, "--json", "list"]);
    const { code, stderr } = await listing.then(
      () => ({ code: 0, stderr: "{}" }),
      (error: { code: number; stderr: string }) => error,
    );
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "IO_ERROR", message: expect.stringContaining("The host ended"), remedy: expect.any(String) },
    });
    await rm(home, { recursive: true });
  });
});
