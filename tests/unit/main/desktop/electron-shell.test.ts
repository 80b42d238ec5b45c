// The Electron shell on a stand-in for Electron: how it is wired, and what it refuses.
import { rm } from "node:fs/promises";
import path from "node:path";
import { createORPCClient } from "@orpc/client";
import { RPCLink } from "@orpc/client/message-port";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { RpcClient } from "../../../../main/rpc/client.ts";
import { openDataFolder } from "../../../../main/store/data-folder.ts";
import { acquireHostLock } from "../../../../main/store/host-lock.ts";
import { FakeContents, type FakePort, fake, fakeElectron } from "../../../support/fake-electron.ts";
import { temporaryFolder } from "../../../support/test-app.ts";
import { waitUntil } from "../../../support/wait-until.ts";

vi.mock("electron", () => fakeElectron());

const PAGE = "app://terrarium/index.html";
const argv = process.argv;
let home: string;

beforeAll(async () => {
  home = await temporaryFolder();
  process.argv = ["electron", "app", "--home", home];
  Object.defineProperty(process, "resourcesPath", { value: path.join(home, "resources"), configurable: true });
  await import("../../../../main/index.ts");
  await waitUntil("there is a window", () => fake.windows.length > 0);
});

afterAll(async () => {
  process.argv = argv;
  await rm(home, { recursive: true });
});

/** Asks for a port as the preload of a page does; null when main does not answer. */
function requestPort(frame: { url: string; parent: unknown }, target: unknown, id: unknown = "1"): FakePort | null {
  let port: FakePort | null = null;
  const postMessage = (_: string, __: string, ports: FakePort[]) => {
    port = ports[0] ?? null;
  };
  fake.ipcMain.emit("terrarium:request-port", { senderFrame: { ...frame, postMessage } }, id, target);
  return port;
}

describe("the window", () => {
  it("shows the app's own page, sandboxed and isolated", () => {
    expect(fake.windows[0]?.url).toBe(PAGE);
    expect(fake.windows[0]?.options.webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
    });
  });

  it("appears when it has something to show", () => {
    expect(fake.windows[0]?.shown).toBe(0);
    fake.windows[0]?.emit("ready-to-show");
    expect(fake.windows[0]?.shown).toBe(1);
  });

  it("comes to the front when the app is started again, and goes where a link points", () => {
    fake.app.emit("second-instance", {}, ["electron"]);
    fake.app.emit("second-instance", {}, ["electron", "terrarium://machine/0123456789ab"]);
    expect(fake.windows[0]?.url).toBe(`${PAGE}#/machines/0123456789ab`);
  });
});

describe("a page", () => {
  it("is one: nothing above opened another window", () => {
    expect(fake.windows).toHaveLength(1);
  });

  it("can't leave the app or embed others, and opens no window but a machine's own", () => {
    const contents = new FakeContents();
    fake.app.emit("web-contents-created", {}, contents);
    const machine = "#/machines/0123456789ab/window";
    expect(contents.openHandler?.({ url: `${PAGE}${machine}` })).toEqual({ action: "allow" });
    for (const url of [PAGE, `https://evil.example/${machine}`, `${PAGE}#/machines/0123456789ab/window?x`]) {
      expect(contents.openHandler?.({ url })).toEqual({ action: "deny" });
    }
    for (const name of ["will-navigate", "will-frame-navigate", "will-redirect", "will-attach-webview"]) {
      const event = { preventDefault: vi.fn() };
      contents.emit(name, event);
      expect(event.preventDefault).toHaveBeenCalledOnce();
    }
  });

  it.each([
    [PAGE, "fullscreen", true],
    [PAGE, "media", false],
    [PAGE, "geolocation", false],
    ["https://evil.example/", "fullscreen", false],
    ["app://terrarium.evil.example/", "fullscreen", false],
  ])("of %s gets permission for %s: %s", (url, permission, granted) => {
    const answer = vi.fn();
    fake.session.handlers["permissionRequest"]?.(...([{ getURL: () => url }, permission, answer] as never[]));
    expect(answer).toHaveBeenCalledWith(granted);
  });

  it.each([
    ["app://terrarium/assets/app.js", false],
    ["data:image/png;base64,AA", false],
    ["https://example.org/", true],
    ["file:///etc/passwd", true],
  ])("that asks for %s is refused: %s", (url, cancel) => {
    const answer = vi.fn();
    fake.session.handlers["beforeRequest"]?.(...([{ url }, answer] as never[]));
    expect(answer).toHaveBeenCalledWith({ cancel });
  });

  it("is served with the strict policy, and nothing else is", async () => {
    const serve = fake.session.schemes["app"];
    const outside = await serve?.(new Request("app://terrarium/..%2f..%2fpackage.json"));
    expect(outside?.status).toBe(404);
    expect(outside?.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect((await serve?.(new Request("app://other/index.html")))?.status).toBe(404);
    expect((await serve?.(new Request(PAGE, { method: "POST" })))?.status).toBe(404);
  });
});

describe("a request for a port", () => {
  it("of the app's page is answered, and the port carries the contract", async () => {
    const port = requestPort({ url: PAGE, parent: null }, "rpc");
    if (port === null) throw new Error("no port");
    const client = createORPCClient<RpcClient>(new RPCLink({ port: port.port }));
    port.start();
    expect(await client.host.info()).toMatchObject({ home });
    port.close();
  });

  it.each([
    ["another site's page", { url: "https://evil.example/", parent: null }, "rpc"],
    ["a frame inside the page", { url: PAGE, parent: {} }, "rpc"],
    ["the page for something unknown", { url: PAGE, parent: null }, "files"],
    ["the page for no text", { url: PAGE, parent: null }, { rpc: true }],
  ])("of %s is not answered", (_, frame, target) => {
    expect(requestPort(frame, target)).toBeNull();
  });

  it("with an id that is no text is not answered", () => {
    expect(requestPort({ url: PAGE, parent: null }, "rpc", 5)).toBeNull();
  });

  it("for the display of a machine that does not run gives a closed port", async () => {
    const port = requestPort({ url: PAGE, parent: null }, "data/0123456789ab/rfb");
    await new Promise<void>((resolve) => port?.port.on("close", resolve));
  });
});

describe("quitting", () => {
  it("closes the services first, then lets the app go", async () => {
    const { run } = await openDataFolder(home);
    expect(() => acquireHostLock({ run, root: home } as never)).toThrow("already runs");
    const event = { preventDefault: vi.fn() };
    fake.app.emit("before-quit", event);
    expect(event.preventDefault).toHaveBeenCalledOnce();
    expect(fake.app.quits).toBe(0);
    await waitUntil("it quits again", () => fake.app.quits > 0);
    const again = { preventDefault: vi.fn() };
    fake.app.emit("before-quit", again);
    expect(again.preventDefault).not.toHaveBeenCalled();
    acquireHostLock({ run, root: home } as never).release();
    expect(fake.errors).toEqual([]);
  });
});
