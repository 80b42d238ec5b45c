// The screen of a machine and everything around it, in the main window and in a window of its own.
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  machineCommand,
  machineRow,
  screenPicture,
  showPane,
  stopMachine,
  takeSnapshot,
  waitForConsole,
  waitForState,
} from "./support/actions.ts";

import { appUnderTest } from "./support/app-under-test.ts";
import { openPage } from "./support/browser.ts";
import type { TestHost } from "./support/hosts.ts";

const NAME = "Starter Linux";

let browser: Browser;
let host: TestHost;
let page: Page;

appUnderTest({
  async begin(app) {
    ({ browser, host, page } = app);
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
    await showPane(page, "Display");
    await page.getByText("640 × 400").waitFor();
  },
});

const bar = (of: Page = page) => of.getByRole("toolbar", { name: "Display" });

async function hostKeyWith(of: Page, key: string): Promise<void> {
  await of.getByRole("application").click();
  await of.keyboard.down("ControlRight");
  await of.keyboard.press(key);
  await of.keyboard.up("ControlRight");
}

describe("the screen's tools", () => {
  test("text is typed into the guest key by key", async () => {
    await bar().getByRole("button", { name: "Type Text" }).click();
    const form = page.getByRole("form", { name: "Type Text" });
    await form.getByRole("textbox").fill("echo Typed & counted\n");
    await form.getByRole("button", { name: "Type", exact: true }).click();
    await form.waitFor({ state: "detached" });
    await showPane(page, "Console");
    await waitForConsole(page, /^Typed & counted$/m);
    await showPane(page, "Display");
    await page.getByText("640 × 400").waitFor();
  });

  test("the soft keyboard presses keys; Shift holds for the next one", async () => {
    await bar().getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Soft Keyboard" }).click();
    const keyboard = page.getByRole("group", { name: "Soft Keyboard" });
    for (const key of ["e", "c", "h", "o", "Space"])
      await keyboard.getByRole("button", { name: key, exact: true }).click();
    await keyboard.getByRole("button", { name: "Shift", exact: true }).click();
    await keyboard.getByRole("button", { name: "S", exact: true }).click();
    await keyboard.getByRole("button", { name: "o", exact: true }).click();
    await keyboard.getByRole("button", { name: "Enter", exact: true }).click();
    // A guest with another layout has other characters on its keys.
    await page.getByRole("combobox", { name: "Keyboard layout of the guest" }).selectOption("German");
    await keyboard.getByRole("button", { name: "ß", exact: true }).waitFor();
    await keyboard.getByRole("button", { name: "AltGr", exact: true }).click();
    await keyboard.getByRole("button", { name: "@", exact: true }).waitFor();
    await page.getByRole("combobox", { name: "Keyboard layout of the guest" }).selectOption("US English");
    await page.getByRole("button", { name: "Close", exact: true }).click();
    await showPane(page, "Console");
    await waitForConsole(page, /^So$/m);
    await showPane(page, "Display");
  });

  test("a combination from the menu leaves the keyboard with the guest", async () => {
    await page.getByText("640 × 400").waitFor();
    await bar().getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Ctrl+Alt+Del" }).click();
    await page.getByText(/Keyboard goes to the guest/).waitFor();
  });

  test("the lights of the devices name them and lead to their settings", async () => {
    const lights = page.getByRole("group", { name: "Devices" });
    await lights.getByRole("button", { name: /^1 disk: / }).waitFor();
    await lights.getByRole("button", { name: "Display: 640 × 400" }).waitFor();
    await lights.getByRole("button", { name: /serial console/ }).click();
    await page.getByRole("dialog", { name: `Settings of ${NAME}` }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  test("a screenshot and a recording are files", async () => {
    const picture = page.waitForEvent("download");
    await bar().getByRole("button", { name: "Save Screenshot" }).click();
    expect((await picture).suggestedFilename()).toMatch(/^Starter Linux .*\.png$/);
    await bar().getByRole("button", { name: "Record as Video" }).click();
    await page.getByRole("application").click();
    await page.keyboard.type("ls\n", { delay: 40 });
    const video = page.waitForEvent("download");
    await bar().getByRole("button", { name: "Stop Recording" }).click();
    expect((await video).suggestedFilename()).toMatch(/\.webm$/);
  });

  test("the Host key with plus, minus and zero zooms, and the menu has levels; the pane scrolls where the screen is larger", async () => {
    const width = () => page.getByRole("application").evaluate((canvas) => canvas.getBoundingClientRect().width);
    await hostKeyWith(page, "0");
    await expect.poll(width).toBe(640);
    await hostKeyWith(page, "+");
    await expect.poll(width).toBe(800);
    await hostKeyWith(page, "-");
    await hostKeyWith(page, "-");
    await expect.poll(width).toBe(480);
    await bar().getByRole("button", { name: "Zoom: 75 %" }).click();
    await page.getByRole("menuitem", { name: "300 %" }).click();
    await expect.poll(width).toBe(1920);
    const stage = page.locator(".display-stage");
    expect(await stage.evaluate((element) => element.scrollWidth > element.clientWidth)).toBe(true);
    await bar().getByRole("radio", { name: "Fit" }).click();
    await expect.poll(width).toBeLessThan(1280);
  });

  test("full screen shows the screen alone, with a small tool bar at the edge", async () => {
    await bar().getByRole("button", { name: "Full Screen" }).click();
    const isFull = () => page.evaluate(() => document.fullscreenElement !== null);
    await expect.poll(isFull).toBe(true);
    const height = () => page.getByRole("application").evaluate((canvas) => canvas.getBoundingClientRect().height);
    await expect.poll(height).toBe(await page.evaluate(() => window.innerHeight));
    expect(await page.getByRole("group", { name: "Devices" }).isVisible()).toBe(false);
    await page.getByRole("application").click();
    const bottom = () => bar().evaluate((element) => element.getBoundingClientRect().bottom);
    await expect.poll(bottom).toBeLessThan(10);
    await page.mouse.move(640, 2);
    await expect.poll(bottom).toBeGreaterThan(30);
    await bar().getByText(NAME).waitFor();
    // What is laid over the page is there in full screen, too.
    await bar().getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Ctrl+Alt+Del" }).click();
    await page.mouse.move(640, 2);
    await bar().getByRole("button", { name: "Leave Full Screen" }).click();
    await page.getByRole("group", { name: "Devices" }).waitFor();
    await hostKeyWith(page, "f");
    await expect.poll(isFull).toBe(true);
    await hostKeyWith(page, "f");
    await page.getByRole("group", { name: "Devices" }).waitFor();
  });

  test("Resize gives the guest the pane's size, also when the window changes; Fit leaves it the one it has", async () => {
    const pane = page.locator(".display-target");
    const followed = async () => {
      const { width, height } = (await pane.boundingBox()) ?? { width: 0, height: 0 };
      await page.getByText(`${Math.floor(width)} × ${Math.floor(height)}`, { exact: true }).waitFor();
      return { width: Math.floor(width), height: Math.floor(height) };
    };
    await bar().getByRole("radio", { name: "Resize" }).click();
    const before = await followed();
    const window = page.viewportSize() ?? { width: 0, height: 0 };
    await page.setViewportSize({ width: window.width + 120, height: window.height + 80 });
    await expect.poll(async () => (await pane.boundingBox())?.height).toBeGreaterThan(before.height);
    const after = await followed();
    await bar().getByRole("radio", { name: "Fit" }).click();
    await page.setViewportSize(window);
    await page.getByText(`${after.width} × ${after.height}`, { exact: true }).waitFor();
    await page.reload();
    await page.getByText("640 × 400").waitFor();
  });

  test("another Host key takes over at once", async () => {
    await page.keyboard.press("ControlRight");
    await page.getByText("Click the screen to type").waitFor();
    await page.keyboard.press("Control+;");
    const dialog = page.getByRole("dialog", { name: "Preferences" });
    await dialog.getByRole("combobox", { name: "Host key" }).selectOption("Scroll Lock");
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await page.getByRole("application").click();
    await page.getByText("Keyboard goes to the guest · Scroll Lock releases it").waitFor();
    await page.keyboard.press("ScrollLock");
    await page.getByText("Click the screen to type").waitFor();
    await page.keyboard.press("Control+;");
    await dialog.getByRole("combobox", { name: "Host key" }).selectOption("Right Ctrl");
    await dialog.getByRole("button", { name: "Close" }).last().click();
  });
});

describe("a window of its own", () => {
  let own: Page;

  test("shows the same screen, with the menus of the machine, and leaves the main window where it is", async () => {
    const opened = page.context().waitForEvent("page");
    await bar().getByRole("button", { name: "Show in Own Window" }).click();
    own = await opened;
    await own.getByText("640 × 400").waitFor();
    await expect.poll(() => own.title()).toBe(`${NAME} – Terrarium`);
    await own.getByRole("toolbar", { name: "Menus" }).getByRole("button", { name: "Machine" }).click();
    await own.getByRole("menuitem", { name: "Pause" }).click();
    await waitForState(page, NAME, "Paused");
    await own.getByRole("toolbar", { name: "Menus" }).getByRole("button", { name: "Machine" }).click();
    await own.getByRole("menuitem", { name: "Resume" }).click();
    await waitForState(page, NAME, "Running");
  });

  test("closing it leaves the machine running", async () => {
    const before = await screenPicture(own);
    expect(before.length).toBeGreaterThan(100);
    await own.close();
    await waitForState(page, NAME, "Running");
  });
});

describe("on a display with two device pixels per pixel", () => {
  test("sharp is a whole multiple of those, drawn without smoothing", async () => {
    const fine = await openPage(browser, host.entryUrl(), { deviceScaleFactor: 2 });
    await machineRow(fine.page, NAME).click();
    await showPane(fine.page, "Display");
    await fine.page.getByText("640 × 400").waitFor();
    await bar(fine.page).getByRole("radio", { name: "Sharp" }).click();
    const screen = fine.page.getByRole("application");
    const devicePixels = () =>
      screen.evaluate((canvas) => (canvas.getBoundingClientRect().width * window.devicePixelRatio) / 640);
    await expect.poll(devicePixels).toBe(3);
    expect(await screen.evaluate((canvas) => getComputedStyle(canvas).imageRendering)).toBe("pixelated");
    await bar(fine.page).getByRole("radio", { name: "Fit" }).click();
    await expect.poll(() => screen.evaluate((canvas) => getComputedStyle(canvas).imageRendering)).toBe("auto");
    await fine.page.close();
  });
});

describe("closing", () => {
  test("Host+Q asks how; power off can go back to the snapshot", async () => {
    await takeSnapshot(page, "Clean");
    await showPane(page, "Display");
    await page.getByText("640 × 400").waitFor();
    await hostKeyWith(page, "q");
    const dialog = page.getByRole("dialog", { name: `Close ${NAME}` });
    await dialog.getByRole("radio", { name: /Power off/ }).check({ force: true });
    await dialog.getByRole("checkbox", { name: /Restore “Clean”/ }).check({ force: true });
    await dialog.getByRole("button", { name: "OK" }).click();
    // The snapshot has memory: the machine is off with that state to continue from.
    await waitForState(page, NAME, "Saved");
    await machineRow(page, NAME).getByText("(Clean)").waitFor();
  });

  test("the last choice is proposed again; saving keeps everything", async () => {
    await machineCommand(page, "Start").click();
    await waitForState(page, NAME, "Running");
    await page.getByText("640 × 400").waitFor();
    await hostKeyWith(page, "q");
    const dialog = page.getByRole("dialog", { name: `Close ${NAME}` });
    expect(await dialog.getByRole("radio", { name: /Power off/ }).isChecked()).toBe(true);
    await dialog.getByRole("radio", { name: /Save the machine's state/ }).check({ force: true });
    await dialog.getByRole("button", { name: "OK" }).click();
    await waitForState(page, NAME, "Saved");
  });

  test("a machine starts without being shown", async () => {
    await showPane(page, "Details");
    await page
      .getByRole("toolbar", { name: "Machine commands" })
      .getByRole("button", { name: "Ways to start" })
      .click();
    await page.getByRole("menuitem", { name: "Start without Screen" }).click();
    await waitForState(page, NAME, "Running");
    await page.getByRole("tabpanel", { name: "Details" }).waitFor();
    await stopMachine(page, /Power Off/);
    await waitForState(page, NAME, "Powered Off");
  });
});
