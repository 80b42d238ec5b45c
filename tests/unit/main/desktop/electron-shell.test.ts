// The Electron shell on a stand-in for Electron: how it is wired, and what it refuses.
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { createORPCClient } from "@orpc/client";
import { RPCLink } from "@orpc/client/message-port";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { RpcClient } from "../../../../main/rpc/client.ts";
import { openDataFolder } from "../../../../main/store/data-folder.ts";
import { acquireHostLock } from "../../../../main/store/host-lock.ts";
import { FakeContents, type FakePort, FakeWindow, fake, fakeElectron } from "../../../support/fake-electron.ts";
import { temporaryFolder } from "../../../support/test-app.ts";
import { waitUntil } from "../../../support/wait-until.ts";

vi.mock("electron", () => fakeElectron());

const PAGE = "app://terrarium/index.html";
const argv = process.argv;
let home: string;

beforeAll(async () => {
  home = await temporaryFolder();
  vi.stubEnv("XDG_CONFIG_HOME", path.join(home, "config"));
  process.argv = ["electron", "app", "--home", home];
  Object.defineProperty(process, "resourcesPath", { value: path.join(home, "resources"), configurable: true });
  await import("../../../../main/index.ts");
  await waitUntil("there is a window", () => fake.windows.length > 0);
});

afterAll(async () => {
  process.argv = argv;
  vi.unstubAllEnvs();
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

/** As the page has it. */
function contractClient() {
  const port = requestPort({ url: PAGE, parent: null }, "rpc");
  if (port === null) throw new Error("no port");
  const client = createORPCClient<RpcClient>(new RPCLink({ port: port.port }));
  port.start();
  return { client, close: () => port.close() };
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
    fake.app.emit("second-instance", {}, ["electron"], "/");
    expect(fake.windows[0]?.shown).toBe(2);
    fake.app.emit("second-instance", {}, ["electron", "terrarium://machine/0123456789ab"], "/");
    expect(fake.windows[0]?.url).toBe(`${PAGE}#/machines/0123456789ab`);
  });

  it("offers a file that a second start or the file manager brings", () => {
    fake.app.emit("second-instance", {}, ["electron", "--flag", "copies/lab.ova"], "/home/me");
    expect(fake.windows[0]?.url).toBe(`${PAGE}#/open/${encodeURIComponent("/home/me/copies/lab.ova")}`);
    const event = { preventDefault: vi.fn() };
    fake.app.emit("open-file", event, "/home/me/lab.terrarium");
    expect(fake.windows[0]?.url).toBe(`${PAGE}#/open/${encodeURIComponent("/home/me/lab.terrarium")}`);
    expect(event.preventDefault).toHaveBeenCalledOnce();
  });

  it("remembers where it was put", async () => {
    const { client, close } = contractClient();
    fake.windows[0]?.emit("move");
    await vi.waitFor(async () => {
      expect((await client.preferences.get())["windowBounds"]).toEqual({ x: 10, y: 20, width: 900, height: 700 });
    });
    close();
  });

  it("is loaded again when its page crashes, but not for ever", async () => {
    const contents = fake.windows[0]?.webContents;
    contents?.emit("render-process-gone", {}, { reason: "clean-exit" });
    expect(contents?.reloads).toBe(0);
    fake.answer = 0;
    for (let crash = 1; crash <= 4; crash++) contents?.emit("render-process-gone", {}, { reason: "crashed" });
    expect(contents?.reloads).toBe(3);
    await vi.waitFor(() => expect(contents?.reloads).toBe(4));
    expect(fake.questions.splice(0)).toMatchObject([{ detail: "Running machines go on." }]);
  });

  it("may be waited for when it hangs", async () => {
    fake.windows[0]?.emit("unresponsive");
    await vi.waitFor(() => expect(fake.questions).toHaveLength(1));
    expect(fake.questions.splice(0)).toMatchObject([{ buttons: ["Wait", "Load It Again"] }]);
    expect(fake.windows[0]?.webContents.reloads).toBe(4);
  });

  it("shows a machine's own window without a menu bar", () => {
    const child = Object.assign(new FakeWindow({ webPreferences: {} }), { setMenu: vi.fn() });
    fake.windows.pop();
    fake.windows[0]?.webContents.emit("did-create-window", child);
    expect(child.setMenu).toHaveBeenCalledWith(null);
  });
});

describe("the menu bar", () => {
  it("speaks the language that was chosen", async () => {
    const { client, close } = contractClient();
    expect(fake.menuBar.map(({ label, role }) => label ?? role)).toContain("File");
    await client.preferences.change({ changes: { language: "de" } });
    expect(fake.menuBar.map(({ label, role }) => label ?? role)).toContain("Datei");
    await vi.waitFor(() => expect(fake.trays[0]?.toolTip).toBe("Terrarium\nKeine Maschine läuft"));
    await client.preferences.change({ changes: { language: "en" } });
    close();
  });
});

describe("the start with the session", () => {
  it("is an autostart entry where the preference says so", async () => {
    const { client, close } = contractClient();
    expect(await client.preferences.get()).toMatchObject({ startAtLogin: false });
    await client.preferences.change({ changes: { startAtLogin: true } });
    const file = path.join(home, "config/autostart/terrarium.desktop");
    await vi.waitFor(async () => expect(await readFile(file, "utf8")).toContain("--hidden"));
    await client.preferences.change({ changes: { startAtLogin: false } });
    await vi.waitFor(() => expect(existsSync(file)).toBe(false));
    close();
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
    expect(contents.openHandler?.({ url: `${PAGE}${machine}` })).toMatchObject({ action: "allow" });
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
    const { client, close } = contractClient();
    expect(await client.host.info()).toMatchObject({ home });
    close();
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
    expect(fake.questions).toEqual([]);
    expect(fake.trays[0]?.destroyed).toBe(true);
    const again = { preventDefault: vi.fn() };
    fake.app.emit("before-quit", again);
    expect(again.preventDefault).not.toHaveBeenCalled();
    acquireHostLock({ run, root: home } as never).release();
    expect(fake.errors).toEqual([]);
  });
});
