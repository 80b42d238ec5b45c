// The parts of the Electron shell that run without Electron.

import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { parsePortTarget } from "../../../../main/desktop/port-targets.ts";
import { type RelayPort, relay } from "../../../../main/desktop/relay-process.ts";
import { temporaryFolder } from "../../../support/test-app.ts";

describe("a window's request for a port", () => {
  it("names the contract or a channel of a machine", () => {
    expect(parsePortTarget("rpc")).toEqual({ kind: "rpc" });
    expect(parsePortTarget("data/0123456789ab/console/1")).toEqual({
      kind: "data",
      machineId: "0123456789ab",
      channel: "console 1",
    });
  });

  it.each([undefined, 5, "", "data/../rfb", "data/0123456789ab/secrets", "data/0123456789ab/rfb\nrfb", "../rpc"])(
    "for %j is refused",
    (target) => expect(parsePortTarget(target)).toBeNull(),
  );
});

describe("the relay", () => {
  it("carries bytes both ways and closes the other side with either", async () => {
    const folder = await temporaryFolder();
    const dataSocket = path.join(folder, "vm.sock");
    const accepted = Promise.withResolvers<Socket>();
    const server = createServer((socket) => accepted.resolve(socket));
    await new Promise<void>((resolve) => server.listen(dataSocket, resolve));
    const { port1, port2 } = new MessageChannel();
    relay({ dataSocket, channel: "rfb" }, asElectronPort(port1));
    const vm = await accepted.promise;
    expect(await nextText(vm)).toBe("rfb\n");
    const arrived = new Promise<Uint8Array>((resolve) => port2.once("message", resolve));
    vm.write("RFB 003.008\n");
    expect(new TextDecoder().decode(await arrived)).toBe("RFB 003.008\n");
    port2.postMessage(new TextEncoder().encode("hello"));
    expect(await nextText(vm)).toBe("hello");
    const ended = new Promise((resolve) => vm.once("close", resolve));
    port2.close();
    await ended;
    server.close();
    await rm(folder, { recursive: true });
  });
});

/** Electron wraps messages into events, worker_threads does not. */
function asElectronPort(port: MessageChannel["port1"]): RelayPort {
  return {
    postMessage: (message) => port.postMessage(message),
    on: (event: string, listener: (event: never) => void) => {
      port.on(event as "message", (data: unknown) => listener({ data } as never));
    },
    start: () => port.start(),
    close: () => port.close(),
  };
}

function nextText(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (bytes) => resolve(bytes.toString())));
}
