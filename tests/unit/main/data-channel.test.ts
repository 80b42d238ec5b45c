import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { dataSocketPath, openDataFolder } from "../../../main/store/data-folder.ts";
import { parseDataPath, pipeDataChannel } from "../../../main/web-host/data-channel.ts";
import { temporaryFolder } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

const FLOOD_BYTES = 64 << 20;
const PIECE = Buffer.alloc(1 << 16, 0x55);

let folder: string;
let vm: Socket;
let client: WebSocket;
let close: () => void;
let firstLine: string;

/** A VM's data socket and a client of the host, with the channel between them. */
beforeEach(async () => {
  folder = await temporaryFolder();
  const dataSocket = path.join(folder, "vm.sock");
  const vmServer = createServer();
  vmServer.listen(dataSocket);
  await once(vmServer, "listening");
  const http = createHttpServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket) => pipeDataChannel(socket, dataSocket, "console 0"));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const connected = once(vmServer, "connection");
  client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  [vm] = (await connected) as [Socket];
  firstLine = String((await once(vm, "data"))[0]);
  if (client.readyState !== WebSocket.OPEN) await once(client, "open");
  close = () => {
    sockets.close();
    http.close();
    http.closeAllConnections();
    vmServer.close();
  };
});

afterEach(async () => {
  client.terminate();
  vm.destroy();
  close();
  await rm(folder, { recursive: true });
});

describe("a data channel", () => {
  it("says first which one it is", () => {
    expect(firstLine).toBe("console 0\n");
  });

  it("does not read faster from the VM than its client takes", async () => {
    client.pause();
    let sent = 0;
    const flood = () => {
      while (sent < FLOOD_BYTES) {
        sent += PIECE.length;
        if (!vm.write(PIECE)) break;
      }
    };
    vm.on("drain", flood);
    flood();
    // It comes to a stand: nothing has been taken from the VM for twenty looks in a row.
    let stable = 0;
    let last = -1;
    await waitUntil("the flood stands still", () => {
      const taken = sent - vm.writableLength;
      stable = taken === last ? stable + 1 : 0;
      last = taken;
      return stable > 20;
    });
    expect(last).toBeLessThan(FLOOD_BYTES / 2);
    let received = 0;
    client.on("message", (bytes: Buffer) => {
      received += bytes.length;
    });
    client.resume();
    await waitUntil("everything arrives", () => received === FLOOD_BYTES);
  });

  it("ends with the VM", async () => {
    vm.end();
    expect((await once(client, "close"))[0]).toBe(1000);
  });

  it("ends with the client", async () => {
    const ended = once(vm, "close");
    vm.resume();
    client.close();
    await ended;
  });
});

describe("the address of a data channel", () => {
  it.each([
    ["/data/0123456789ab/rfb", "rfb"],
    ["/data/0123456789ab/console/1", "console 1"],
    ["/data/0123456789ab/console/0/tail", "console 0 tail"],
    ["/data/0123456789ab/console/2", undefined],
    ["/data/0123456789AB/rfb", undefined],
    ["/data/0123456789ab/", undefined],
  ])("%s means %s", (address, channel) => expect(parseDataPath(address)?.channel).toBe(channel));
});

describe.skipIf(process.platform === "win32")("the place of a VM's data socket", () => {
  it("is in the data folder, or where its path is short enough for the system", async () => {
    const short = await openDataFolder(path.join(folder, "home"));
    expect(await dataSocketPath(short, "0123456789ab")).toBe(path.join(short.run, "0123456789ab.sock"));
    const long = await openDataFolder(path.join(folder, "x".repeat(100)));
    const socket = await dataSocketPath(long, "0123456789ab");
    expect(socket.length).toBeLessThan(104);
    expect(socket).not.toBe(
      await dataSocketPath(await openDataFolder(path.join(folder, "y".repeat(100))), "0123456789ab"),
    );
  });
});
