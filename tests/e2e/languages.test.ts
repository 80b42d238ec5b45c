// The interface in other languages: German where it is chosen, and the pseudo-locale that shows words which are not in the catalogue
// and places that are too narrow.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appUnderTest } from "./support/app-under-test.ts";
import { openPage } from "./support/browser.ts";
import type { TestHost } from "./support/hosts.ts";

let browser: Browser;
let host: TestHost;

appUnderTest({
  async begin(app) {
    ({ browser, host } = app);
  },
});

/** A window in a language that was chosen before, over HTTP as a script would. */
async function openIn(language: string): Promise<Page> {
  const { page } = await openPage(browser, host.entryUrl());
  await page.getByRole("navigation").first().waitFor();
  const status = await page.evaluate(async (chosen) => {
    const body = JSON.stringify({ changes: { language: chosen } });
    const headers = { "Content-Type": "application/json" };
    return (await fetch("/api/preferences", { method: "PATCH", headers, body })).status;
  }, language);
  expect(status).toBe(200);
  await page.reload();
  return page;
}

describe("German", () => {
  let page: Page;

  test("is chosen in the preferences and holds at once, for screen readers too", async () => {
    ({ page } = await openPage(browser, host.entryUrl()));
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await page.getByRole("tree", { name: "Machines" }).getByText("Running").waitFor();
    await page.getByRole("button", { name: "Menu", exact: true }).click();
    await page.getByRole("menuitem", { name: "Preferences…" }).click();
    await page.getByRole("combobox", { name: "Language" }).selectOption("Deutsch");
    await page.getByRole("dialog", { name: "Voreinstellungen" }).waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
    await page.getByRole("button", { name: "Schließen" }).last().click();
    await page.getByRole("tree", { name: "Maschinen" }).getByText("Läuft").waitFor();
  });

  test("the way to the rest of the app is in sight in a narrow window too", async () => {
    await page.setViewportSize({ width: 900, height: 640 });
    const menu = await page.getByRole("button", { name: "Menü", exact: true }).boundingBox();
    expect((menu?.x ?? 900) + (menu?.width ?? 0)).toBeLessThanOrEqual(900);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test("settings and their mistakes are told in German", async () => {
    await page.getByRole("button", { name: "Einstellungen", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Einstellungen von Starter Linux" });
    await dialog.getByRole("textbox", { name: "Name", exact: true }).fill("a/b");
    await dialog.getByText("keine Schrägstriche und Steuerzeichen").waitFor();
    await dialog.getByRole("button", { name: "Abbrechen" }).click();
    await dialog.waitFor({ state: "detached" });
  });

  test("and back again", async () => {
    await page.getByRole("button", { name: "Menü", exact: true }).click();
    await page.getByRole("menuitem", { name: "Voreinstellungen…" }).click();
    await page.getByRole("combobox", { name: "Sprache" }).selectOption("English");
    await page.getByRole("dialog", { name: "Preferences" }).waitFor();
    await page.context().close();
  });
});

describe("the pseudo-locale", () => {
  let page: Page;

  beforeAll(async () => {
    page = await openIn("pseudo");
    await page.getByRole("tree").first().waitFor();
    await page.getByText(/Ñéŵ/).first().waitFor();
  }, 30_000);

  afterAll(async () => {
    await page?.context().close();
  });

  /** Words in sight that are plain English and no data. */
  function plainWords(): Promise<string[]> {
    return page.evaluate(() => {
      const data =
        /English|Deutsch|Starter Linux|Terrarium scripted guest|is ready|ttyS\d|[KMGT]?i?B\b|[A-Z]:|qcow2|raw|disk\d|vd[a-z]|cd\d|nic\d|\bNAT\b|virtio|AMD|EPYC|Intel|linux|x64|JIT|CSV|M\/s|Ctrl|Alt|Del|ISO|x86-64\S*|baseline|max\b|none|quiet|loglevel|cryptomgr|tty\d|console=|starter:\S+|\/\S+|Chromium|Headless|Mozilla\S*/g;
      const found = new Set<string>();
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const parent = node.parentElement;
        if (!parent || parent.closest("script, style, .mono, .selectable, .xterm, time, [role=log], kbd")) continue;
        const rest = (node.textContent ?? "").replace(data, "");
        if (/[a-zA-Z]{3,}/.test(rest)) found.add(rest.trim());
      }
      return [...found];
    });
  }

  /** Elements whose text is cut off although it has nowhere else to be read. */
  function cutOff(): Promise<string[]> {
    return page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, label, h1, h2, h3, [role=tab]")]
        .filter((element) => element.offsetParent && element.scrollWidth > element.clientWidth + 2)
        .filter((element) => getComputedStyle(element).overflow === "hidden" && !element.title)
        .map((element) => element.innerText),
    );
  }

  test.each([0, 1, 2, 3, 4, 5])("pane number %i has no words of its own", async (index) => {
    await page.getByRole("treeitem").first().click();
    await page.getByRole("tab").nth(index).click();
    await expect.poll(() => page.getByRole("tabpanel").innerText()).not.toBe("");
    expect(await plainWords()).toEqual([]);
    expect(await cutOff()).toEqual([]);
  });

  test.each([0, 1, 2])("tool number %i has no words of its own", async (index) => {
    await page.getByRole("navigation").first().getByRole("button").nth(index).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    expect(await plainWords()).toEqual([]);
    expect(await cutOff()).toEqual([]);
  });

  test("the dialogs have no words of their own", async () => {
    await page.getByRole("treeitem").first().click();
    for (const keys of ["Control+,", "Control+n", "Control+;"]) {
      await page.keyboard.press(keys);
      await page.getByRole("dialog").waitFor();
      expect(await plainWords(), keys).toEqual([]);
      expect(await cutOff(), keys).toEqual([]);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
  });
});
