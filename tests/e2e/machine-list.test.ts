// The main window with several machines: groups, selection, bulk commands, tools, palette, and what is remembered.
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { machineCommand, machineRow, machineTree, showPane, stopMachine, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { openPage } from "./support/browser.ts";
import type { TestHost } from "./support/hosts.ts";
import { renderCount, watchRenders } from "./support/renders.ts";

let browser: Browser;
let host: TestHost;
let page: Page;
let problems: string[];

const tool = (name: string) => page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name });

async function createStarter(): Promise<void> {
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.getByRole("button", { name: "Create and Start" }).click();
}

appUnderTest({
  async begin(app) {
    ({ browser, host, page, problems } = app);
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, "Starter Linux", "Running");
    for (const number of [2, 3, 4]) {
      await createStarter();
      await waitForState(page, `Starter Linux ${number}`, "Running");
    }
  },
});

/** Names of rows from top to bottom, with their level. */
async function rows(): Promise<string[]> {
  return machineTree(page)
    .getByRole("treeitem")
    .evaluateAll((items) =>
      items
        .toSorted((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
        .map((item) => `${item.getAttribute("aria-level")} ${item.querySelector("[class$=-name]")?.textContent}`),
    );
}

describe("several machines", () => {
  test("Shift and Ctrl select several, whose commands are beside the list", async () => {
    await machineRow(page, "Starter Linux 2").click();
    await machineRow(page, "Starter Linux 4").click({ modifiers: ["Shift"] });
    await page.getByRole("heading", { name: "3 machines selected" }).waitFor();
    await machineRow(page, "Starter Linux 4").click({ modifiers: ["Control"] });
    await page.getByRole("heading", { name: "2 machines selected" }).waitFor();
  });

  test("a command for all of them is told once", async () => {
    await page.getByRole("group", { name: "Machine commands" }).getByRole("button", { name: "Pause (2)" }).click();
    await page.getByText("Pause: 2 machines").waitFor();
    await waitForState(page, "Starter Linux 2", "Paused");
    await waitForState(page, "Starter Linux 3", "Paused");
    await page.getByRole("group", { name: "Machine commands" }).getByRole("button", { name: "Resume (2)" }).click();
    await waitForState(page, "Starter Linux 3", "Running");
  });

  test("the keyboard extends the selection and takes everything", async () => {
    await machineRow(page, "Starter Linux").click();
    await machineTree(page).focus();
    await page.keyboard.press("Shift+ArrowDown");
    await page.getByRole("heading", { name: "2 machines selected" }).waitFor();
    await page.keyboard.press("Control+a");
    await page.getByRole("heading", { name: "4 machines selected" }).waitFor();
  });
});

describe("groups", () => {
  test("Ctrl+G puts the selected machines into a new group whose name is typed at once", async () => {
    await machineRow(page, "Starter Linux 2").click();
    await machineRow(page, "Starter Linux 3").click({ modifiers: ["Shift"] });
    await machineTree(page).focus();
    await page.keyboard.press("Control+g");
    await page.getByRole("textbox", { name: /New name of the group/ }).fill("Work");
    await page.keyboard.press("Enter");
    await expect
      .poll(rows)
      .toEqual(["1 Work", "2 Starter Linux 2", "2 Starter Linux 3", "1 Starter Linux", "1 Starter Linux 4"]);
  });

  test("machines are dragged into a group, and one group into another", async () => {
    await machineRow(page, "Starter Linux 4").dragTo(machineRow(page, "Work"));
    await expect.poll(rows).toContain("2 Starter Linux 4");
    await machineRow(page, "Starter Linux").click();
    await machineTree(page).focus();
    await page.keyboard.press("Control+g");
    await page.getByRole("textbox", { name: /New name of the group/ }).fill("Home");
    await page.keyboard.press("Enter");
    await machineRow(page, "Home").dragTo(machineRow(page, "Work"));
    await expect
      .poll(rows)
      .toEqual(["1 Work", "2 Starter Linux 2", "2 Starter Linux 3", "2 Starter Linux 4", "2 Home", "3 Starter Linux"]);
  });

  test("Alt with an arrow moves a machine among its neighbours, and the list stays like that", async () => {
    await machineRow(page, "Starter Linux 4").click();
    await machineTree(page).focus();
    await page.keyboard.press("Alt+ArrowUp");
    await expect
      .poll(rows)
      .toEqual(["1 Work", "2 Starter Linux 2", "2 Starter Linux 4", "2 Starter Linux 3", "2 Home", "3 Starter Linux"]);
  });

  test("arrows close and open groups; another window sees the same list, closed where it was closed", async () => {
    await machineRow(page, "Home").click();
    await machineTree(page).focus();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(rows).not.toContain("3 Starter Linux");
    expect(await machineRow(page, "Home").getAttribute("aria-expanded")).toBe("false");
    const other = await openPage(browser, host.entryUrl());
    await machineRow(other.page, "Home").waitFor();
    await expect.poll(() => machineRow(other.page, "Home").getAttribute("aria-expanded")).toBe("false");
    await other.page.close();
    await page.keyboard.press("ArrowRight");
    await expect.poll(rows).toContain("3 Starter Linux");
  });

  test("the context menu moves to a group and back, with undo", async () => {
    await machineRow(page, "Starter Linux 3").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Move to Group" }).hover();
    await page.getByRole("menuitem", { name: "No group" }).click();
    await expect.poll(rows).toContain("1 Starter Linux 3");
    await page.getByRole("status").filter({ hasText: "taken out" }).getByRole("button", { name: "Undo" }).click();
    await expect.poll(rows).toContain("2 Starter Linux 3");
  });

  test("dissolving a group leaves its machines in the group around it", async () => {
    await machineRow(page, "Home").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Dissolve Group" }).click();
    await expect.poll(rows).toContain("2 Starter Linux");
    expect(await rows()).not.toContain("2 Home");
  });
});

describe("tools", () => {
  test("Home shows the machines that run, and leads to their screens", async () => {
    await tool("Home").click();
    const running = page.getByRole("region", { name: "Running" });
    await expect.poll(() => running.getByRole("button").count()).toBe(4);
    await running.getByRole("button", { name: /Starter Linux 2/ }).click();
    await page.getByRole("tabpanel", { name: "Display" }).waitFor();
  });

  test("Activity lists what machines use, sorts by a column and exports it", async () => {
    await tool("Activity").click();
    const table = page.getByRole("table", { name: "Machines and what they use" });
    await table.getByRole("button", { name: "Name" }).click();
    await expect
      .poll(() => table.getByRole("rowheader").allInnerTexts())
      .toEqual(["Starter Linux", "Starter Linux 2", "Starter Linux 3", "Starter Linux 4"]);
    await table.getByRole("cell", { name: /M\/s/ }).first().waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    expect((await download).suggestedFilename()).toBe("terrarium-activity.csv");
    await table.getByRole("button", { name: "Starter Linux 3" }).click();
    await page.getByRole("tabpanel", { name: "Activity" }).waitFor();
  });

  test("a machine's charts go back a day", async () => {
    await page.getByRole("figure").filter({ hasText: "Network" }).waitFor();
    await page
      .getByRole("radio", { name: "24 h" })
      .or(page.getByRole("button", { name: "24 h" }))
      .first()
      .click();
    await page.getByText("one value per 60 seconds").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    expect((await download).suggestedFilename()).toBe("Starter Linux 3.csv");
  });

  test("a machine's virtual processor can be watched, with the names of kernel functions", async () => {
    const profile = page.getByRole("region", { name: "Virtual processor" });
    await profile.getByText("Watch").click();
    const places = profile.getByRole("table", { name: "Hottest code" });
    await places.getByRole("row", { name: /ffffffff81000104.*75\.0 %/ }).waitFor();
    await places.getByRole("row", { name: /401000 program.*25\.0 %/ }).waitFor();
    await profile.getByRole("row", { name: "computed target 200" }).waitFor();
    const chooser = page.waitForEvent("filechooser");
    await profile.getByRole("button", { name: "Choose System.map…" }).click();
    await (await chooser).setFiles({
      name: "System.map",
      mimeType: "text/plain",
      buffer: Buffer.from("ffffffff81000000 T _stext\nffffffff81000100 T memcpy\n"),
    });
    await places.getByRole("row", { name: /memcpy.*75\.0 %/ }).waitFor();
  });

  test("Media tells which image takes how much, and leads to its machine", async () => {
    await tool("Media").click();
    const table = page.getByRole("table", { name: "Disk images" });
    await expect.poll(() => table.getByRole("row").count()).toBe(5);
    await page.getByRole("searchbox", { name: "Find an image" }).fill("Linux 4");
    await expect.poll(() => table.getByRole("row").count()).toBe(2);
    await table.getByRole("button", { name: "Starter Linux 4" }).click();
    await page.getByRole("tabpanel").waitFor();
  });
});

describe("commands and what is remembered", () => {
  test("the palette lists shortcuts, and they work", async () => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").fill("preferences");
    await page.getByRole("option", { name: /Preferences.*Ctrl\+;/ }).waitFor();
    await page.getByRole("combobox").fill("check");
    await page.getByRole("option", { name: /^Check…/ }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("combobox").waitFor({ state: "detached" });
    await page.keyboard.press("Control+;");
    await page.getByRole("dialog", { name: "Preferences" }).waitFor();
  });

  test("a preference holds for a new browser too, because the host keeps it", async () => {
    const dialog = page.getByRole("dialog", { name: "Preferences" });
    await dialog.getByText("Dark", { exact: true }).click();
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await showPane(page, "Snapshots");
    const other = await openPage(browser, host.entryUrl());
    await other.page.getByRole("tabpanel", { name: "Snapshots" }).waitFor();
    await expect.poll(() => other.page.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
    await other.page.close();
  });

  test("a choice that is made anew before the host confirmed the one before stays", async () => {
    const other = await openPage(browser, host.entryUrl());
    const sent: string[] = [];
    const held: (() => void)[] = [];
    let holding = false;
    await other.page.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        if (message.toString().includes("wizard")) sent.push(message.toString());
        server.send(message);
      });
      server.onMessage((message) => {
        if (holding) held.push(() => socket.send(message));
        else socket.send(message);
      });
    });
    await other.page.reload();
    await other.page.getByRole("button", { name: "New", exact: true }).click();
    const dialog = other.page.getByRole("dialog", { name: "New machine" });
    const onOnePage = dialog.getByRole("checkbox", { name: "All on one page" });
    expect(await onOnePage.isChecked()).toBe(false);
    holding = true;
    await dialog.getByText("All on one page").click();
    await expect.poll(() => sent.length).toBe(1);
    await dialog.getByText("All on one page").click();
    holding = false;
    for (const deliver of held.splice(0)) deliver();
    // The second choice is sent too, so nothing took it back meanwhile.
    await expect.poll(() => sent.length).toBe(2);
    expect(await onOnePage.isChecked()).toBe(false);
    await other.page.close();
  });

  test("the list is made wider by its edge, with the mouse and with keys, and stays so", async () => {
    const edge = page.getByRole("separator", { name: "Width of the machine list" });
    const width = async (of: Page) => Math.round((await machineTree(of).boundingBox())?.width ?? 0);
    const before = await width(page);
    const place = await edge.boundingBox();
    const [x, y] = [place?.x ?? 0, (place?.y ?? 0) + 200];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + 40, y, { steps: 4 });
    await page.mouse.move(x + 80, y, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => width(page)).toBe(before + 80);
    await edge.focus();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => width(page)).toBeLessThan(before + 80);
    const after = await width(page);
    await page.reload();
    await machineTree(page).waitFor();
    await expect.poll(() => width(page)).toBe(after);
  });

  test("the pane of one machine is not drawn anew for what happens to others", async () => {
    await machineRow(page, "Starter Linux 4").click();
    await stopMachine(page, /Power Off/);
    await waitForState(page, "Starter Linux 4", "Powered Off");
    const watched = (await openPage(browser, host.entryUrl())).page;
    await watchRenders(watched, "main.work");
    await machineRow(watched, "Starter Linux 4").click();
    await showPane(watched, "Details");
    // Idle once is not quiet yet: an answer of the host may be on its way.
    const quiet = async () => {
      let now = await renderCount(watched);
      for (let idle = 0; idle < 8; idle++) {
        await watched.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 1000 })));
        const before = now;
        now = await renderCount(watched);
        if (now !== before) idle = 0;
      }
      return now;
    };
    const drawn = await quiet();
    expect(drawn).toBeGreaterThan(0);
    await machineRow(page, "Starter Linux 3").click();
    for (const [command, state] of [
      ["Pause", "Paused"],
      ["Resume", "Running"],
    ] as const) {
      await page.getByRole("button", { name: command, exact: true }).click();
      await waitForState(watched, "Starter Linux 3", state);
    }
    expect(await quiet()).toBe(drawn);
    await machineRow(page, "Starter Linux 4").click();
    await machineCommand(page, "Start").click();
    await waitForState(watched, "Starter Linux 4", "Running");
    expect(await quiet()).toBeGreaterThan(drawn);
    await watched.close();
  });

  test("nothing of all this raised an error", () => {
    expect(problems.filter((problem) => !/WebSocket|Failed when connecting/.test(problem))).toEqual([]);
  });
});
