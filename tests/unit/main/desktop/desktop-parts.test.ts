// What the Electron shell decides without Electron: menus, sleep, the end, the start with the session, places of windows.
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { MenuItemConstructorOptions } from "electron";
import { describe, expect, it, vi } from "vitest";
import type { MachineSummary } from "../../../../main/contract/schemas.ts";
import { autostartEntry, linuxLoginItem, systemLoginItem } from "../../../../main/desktop/login-item.ts";
import { menuBar, trayMenu } from "../../../../main/desktop/menu-templates.ts";
import { answerOf, Quitting, quitQuestion } from "../../../../main/desktop/quitting.ts";
import { SleepGuard } from "../../../../main/desktop/sleep.ts";
import { textsFor } from "../../../../main/desktop/texts.ts";
import { placeOf } from "../../../../main/desktop/window-bounds.ts";
import type { StopAll } from "../../../../main/services/app.ts";
import type { Machine } from "../../../../main/services/machines/machine.ts";
import { temporaryFolder } from "../../../support/test-app.ts";

const texts = textsFor("system", "en-US");

const submenu = (item: MenuItemConstructorOptions | undefined) => item?.submenu as MenuItemConstructorOptions[];
const click = (item: MenuItemConstructorOptions | undefined) =>
  item?.click?.(...([] as never as [never, never, never]));
const labels = (items: readonly MenuItemConstructorOptions[]) =>
  items.map(({ label, type, role }) => label ?? type ?? role);

describe("the tray's menu", () => {
  const machine = (id: string, name: string, state: string) => ({ id, name, state }) as MachineSummary;
  const actions = { show: vi.fn(), run: vi.fn(), quit: vi.fn() };
  const menu = trayMenu([machine("a", "Lab & Co", "running"), machine("b", "Web", "paused")], texts, actions);

  it("lists what runs between the ways in and out", () => {
    expect(labels(menu)).toEqual([
      ...["Show Terrarium", "separator", "2 machines are running"],
      ...["Lab && Co", "Web (paused)", "separator", "Quit Terrarium"],
    ]);
    expect(labels(trayMenu([], texts, actions))[2]).toBe("No machine is running");
  });

  it("acts on each machine as its state allows", () => {
    const [show, , pause, save, shutDown] = submenu(menu[3]);
    for (const item of [show, pause, save, shutDown]) click(item);
    expect(actions.show).toHaveBeenCalledWith("machines/a");
    expect(actions.run.mock.calls).toEqual([
      ["pause", "a"],
      ["save", "a"],
      ["acpi", "a"],
    ]);
    const paused = submenu(menu[4]);
    expect(paused[2]).toMatchObject({ label: "Resume", enabled: true });
    expect(paused[4]).toMatchObject({ label: "Shut Down", enabled: false });
    const busy = submenu(trayMenu([machine("c", "Db", "saving")], texts, actions)[3]);
    expect(busy.slice(2).map(({ enabled }) => enabled)).toEqual([false, false, false]);
  });
});

describe("the menu bar", () => {
  it("leads to the app's dialogs, in the place that the system has for them", () => {
    const go = vi.fn();
    const bar = menuBar(texts, false, go);
    for (const item of submenu(bar[0])) click(item);
    for (const item of submenu(bar.at(-1))) click(item);
    expect(go.mock.calls.flat()).toEqual(["dialog/new-machine", "dialog/import", "dialog/preferences", "dialog/about"]);
    expect(labels(submenu(menuBar(texts, true, go)[0]))).toContain("Preferences…");
  });

  it("is there in the languages of the pages", () => {
    expect(textsFor("de", "en-US").file).toBe("Datei");
    expect(textsFor("system", "de-AT").file).toBe("Datei");
    expect(textsFor("en", "de-AT").file).toBe("File");
    expect(textsFor(undefined, "fr").file).toBe("File");
  });
});

describe("sleep of the computer", () => {
  function machines() {
    const log = { write: vi.fn() };
    const made = ["running", "running", "paused"].map((state) => ({ state, log })) as unknown as (Machine & {
      state: string;
    })[];
    const lifecycle = {
      pause: vi.fn(async (machine: Machine) => void Object.assign(machine, { state: "paused" })),
      resume: vi.fn(async (machine: Machine) => void Object.assign(machine, { state: "running" })),
    };
    return { made, lifecycle, log, guard: new SleepGuard(() => made, lifecycle) };
  }

  it("pauses what runs, and afterwards resumes that and nothing else", async () => {
    const { made, guard } = machines();
    await guard.suspend();
    expect(made.map(({ state }) => state)).toEqual(["paused", "paused", "paused"]);
    await guard.resume();
    expect(made.map(({ state }) => state)).toEqual(["running", "running", "paused"]);
  });

  it("that ends before all machines stand still resumes them all the same", async () => {
    const { made, guard } = machines();
    void guard.suspend();
    await guard.resume();
    expect(made.map(({ state }) => state)).toEqual(["running", "running", "paused"]);
  });

  it("leaves alone what can't be paused or went elsewhere meanwhile, and says so in its log", async () => {
    const { made, guard, lifecycle, log } = machines();
    lifecycle.pause.mockRejectedValueOnce(new Error("busy"));
    await guard.suspend();
    expect(log.write).toHaveBeenCalledOnce();
    Object.assign(made[1] ?? {}, { state: "saved" });
    await guard.resume();
    expect(made.map(({ state }) => state)).toEqual(["running", "saved", "paused"]);
  });
});

describe("quitting", () => {
  function app(running: readonly string[], answer: StopAll | null) {
    const parts = {
      running: () => running,
      ask: vi.fn(async () => answer),
      close: vi.fn(async () => undefined),
      quit: vi.fn(),
    };
    return { ...parts, quitting: new Quitting(parts) };
  }

  it("closes at once when nothing runs", async () => {
    const { quitting, ask, close, quit } = app([], null);
    expect(quitting.request()).toBe(false);
    await vi.waitFor(() => expect(quit).toHaveBeenCalledOnce());
    expect(quitting.request()).toBe(true);
    expect(ask).not.toHaveBeenCalled();
    expect(close).toHaveBeenCalledWith("save");
  });

  it.each(["save", "power-off"] as const)("asks about running machines: %s", async (mode) => {
    const { quitting, ask, close, quit } = app(["Lab"], mode);
    expect(quitting.request()).toBe(false);
    expect(quitting.request()).toBe(false);
    await vi.waitFor(() => expect(quit).toHaveBeenCalledOnce());
    expect(ask).toHaveBeenCalledOnce();
    expect(close).toHaveBeenCalledWith(mode);
  });

  it("can be thought better of", async () => {
    const { quitting, ask, close } = app(["Lab"], null);
    quitting.request();
    await ask.mock.results[0]?.value;
    await Promise.resolve();
    expect(close).not.toHaveBeenCalled();
    expect(quitting.request()).toBe(false);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("does not wait for an answer when the session ends", async () => {
    const { quitting, ask, close, quit } = app(["Lab"], "power-off");
    const answer = Promise.withResolvers<StopAll | null>();
    ask.mockReturnValue(answer.promise);
    quitting.request();
    await quitting.end("save");
    answer.resolve("power-off");
    await answer.promise;
    expect(close.mock.calls).toEqual([["save"]]);
    expect(quit).toHaveBeenCalledOnce();
  });

  it("goes on even when closing fails", async () => {
    const { quitting, close, quit } = app([], null);
    close.mockRejectedValueOnce(new Error("disk full"));
    await expect(quitting.end("save")).rejects.toThrow("disk full");
    expect(quit).toHaveBeenCalledOnce();
  });

  it("asks with names, saving first, and takes Escape for going on", () => {
    const many = Array.from({ length: 12 }, (_, index) => `vm${index}`);
    const question = quitQuestion(many, texts);
    expect(question).toMatchObject({ message: "12 machines are running", defaultId: 0, cancelId: 2 });
    expect(question.detail).toContain("vm7\n…\n");
    expect([0, 1, 2, -1].map(answerOf)).toEqual(["save", "power-off", null, null]);
  });
});

describe("the start with the session", () => {
  it("is an entry that quotes what runs it", () => {
    const entry = autostartEntry(["/opt/My $Apps/100%/terrarium"]);
    expect(entry).toContain('Exec="/opt/My \\\\$Apps/100%%/terrarium" --hidden\n');
  });

  it("is on while the entry is there and not switched off elsewhere", async () => {
    const folder = await temporaryFolder();
    const item = linuxLoginItem(folder, ["/usr/bin/terrarium"]);
    expect(await item.isOn()).toBe(false);
    await item.set(true);
    expect(await item.isOn()).toBe(true);
    await writeFile(path.join(folder, "autostart/terrarium.desktop"), "[Desktop Entry]\nHidden=true\n");
    expect(await item.isOn()).toBe(false);
    await item.set(false);
    await item.set(false);
    expect(await item.isOn()).toBe(false);
    await rm(folder, { recursive: true });
  });

  it("is the system's own list elsewhere", async () => {
    let openAtLogin = false;
    const item = systemLoginItem({
      getLoginItemSettings: ({ args }) => ({ openAtLogin: openAtLogin && args.includes("--hidden") }),
      setLoginItemSettings: (settings) => void ({ openAtLogin } = settings),
    });
    await item.set(true);
    expect(await item.isOn()).toBe(true);
  });
});

describe("the place of a window", () => {
  const screens = [{ x: 0, y: 25, width: 1920, height: 1055 }];
  const place = { x: 100, y: 100, width: 1280, height: 820 };

  it("is used again where it can be caught", () => {
    expect(placeOf(place, screens)).toEqual(place);
    expect(placeOf({ ...place, x: -1000 }, screens)).not.toBeNull();
  });

  it.each([
    ["is on a screen that is gone", { ...place, x: 2500 }],
    ["has its title above the screen", { ...place, y: -10 }],
    ["hangs below it", { ...place, y: 1060 }],
    ["is hardly on it", { ...place, x: 1850 }],
    ["is no place", { x: 1, y: 2 }],
    ["was never kept", undefined],
  ])("is forgotten when it %s", (_, stored) => expect(placeOf(stored, screens)).toBeNull());
});
