// Suite `app`: the interface in Chromium with a thousand machines and ten thousand snapshots: when the list is there, and the longest
// time that the page did not answer while somebody works in it. The host runs beside it on the same computer.
import type { Browser, Page } from "playwright-core";
import { median, type Report, type ReportRow } from "../../../bench/table.ts";
import { BIG_MACHINE, fillStore } from "../../support/big-store.ts";
import { machineRow, machineTree, showPane, snapshotTree } from "../support/actions.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { longestProcessorTime, longTasks, wheelOver } from "../support/frames.ts";
import { startTestHost } from "../support/hosts.ts";

const MACHINES = 1000;
const SNAPSHOTS = 10_000;
const NOTCHES = 60;

type Measured = Record<string, number>;

async function centre(page: Page, role: "machines" | "snapshots"): Promise<{ x: number; y: number }> {
  const box = await (role === "machines" ? machineTree(page) : snapshotTree(page).locator("..")).boundingBox();
  return { x: (box?.x ?? 0) + (box?.width ?? 0) / 2, y: (box?.y ?? 0) + (box?.height ?? 0) / 2 };
}

/** From the start of the navigation until the first row of the list was painted. */
async function firstList(page: Page): Promise<number> {
  await machineTree(page).getByRole("treeitem").first().waitFor();
  return page.evaluate(() => new Promise<number>((resolve) => requestAnimationFrame(() => resolve(performance.now()))));
}

async function oneRound(browser: Browser, page: Page): Promise<Measured> {
  const result: Measured = {};
  await page.reload();
  result["list is there"] = await firstList(page);
  const list = await centre(page, "machines");
  const scrolled = await longTasks(page, () => wheelOver(page, list, NOTCHES));
  result["longest task, scrolling 1,000 machines"] = scrolled.longest;
  const search = page.getByRole("searchbox", { name: "Search Machines" });
  const typed = await longTasks(page, async () => {
    await search.pressSequentially("machine 09", { delay: 40 });
    await search.fill("");
  });
  result["longest task, searching them"] = typed.longest;
  await machineTree(page).focus();
  const selected = await longTasks(page, () => page.keyboard.press("Control+a"));
  result["longest task, selecting all"] = selected.longest;
  await search.fill(BIG_MACHINE);
  await machineRow(page, BIG_MACHINE).click();
  let longest = 0;
  const processor = await longestProcessorTime(browser, page, async () => {
    const opened = await longTasks(page, async () => {
      await showPane(page, "Snapshots");
      await snapshotTree(page).waitFor({ timeout: 60_000 });
    });
    longest = opened.longest;
  });
  result["longest task, opening 10,000 snapshots"] = longest;
  result["processor time of the longest task, opening them"] = processor;
  const tree = await centre(page, "snapshots");
  const wheeled = await longTasks(page, () => wheelOver(page, tree, NOTCHES));
  result["longest task, scrolling them"] = wheeled.longest;
  await snapshotTree(page).focus();
  const walked = await longTasks(page, async () => {
    for (let key = 0; key < 30; key++) await page.keyboard.press("ArrowUp");
  });
  result["longest task, walking through them"] = walked.longest;
  await search.fill("");
  await showPane(page, "Details");
  return result;
}

export async function suite(rounds: number, progress: (text: string) => void): Promise<Report> {
  progress("making the store");
  const [browser, host] = await Promise.all([
    launchBrowser(),
    startTestHost("scripted", (home) => fillStore(home, MACHINES, SNAPSHOTS)),
  ]);
  try {
    const { page } = await openPage(browser, host.entryUrl());
    await firstList(page);
    const samples: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`round ${round + 1} of ${rounds}`);
      samples.push(await oneRound(browser, page));
    }
    const rows: ReportRow[] = Object.keys(samples[0] ?? {}).map((what) => ({
      what,
      unit: "ms",
      values: { Terrarium: median(samples.map((sample) => sample[what] ?? Number.NaN)) },
    }));
    return {
      suite: "app",
      versions: { Chromium: browser.version() },
      missing: {},
      rounds,
      rows,
      notes: [
        "A long task is one of 50 ms and more (W3C Long Tasks); 0 means that there was none.",
        "Tasks last longer where others use the computer; their processor time does not.",
      ],
    };
  } finally {
    await browser.close();
    await host.close();
  }
}
