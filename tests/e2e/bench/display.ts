// Suite `display`: from a key pressed in the browser to the changed picture on its canvas, and what the page takes for it. The guest is a
// few lines of script that answer at once, so what is measured is the way: page, WebSocket, host, VM process, RFB, canvas.
import type { Page } from "playwright-core";
import { median, type Report } from "../../../bench/table.ts";
import { showPane, waitForState } from "../support/actions.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { longTasks } from "../support/frames.ts";
import { startTestHost } from "../support/hosts.ts";

const KEYS = 60;

/** Milliseconds from the key event to the first canvas content that differs, for each of `keys` strokes. */
function keyToPixels(page: Page, keys: number): Promise<number[]> {
  return page.evaluate(async (count) => {
    const canvas = document.querySelector<HTMLCanvasElement>("canvas[role=application]");
    const context = canvas?.getContext("2d");
    if (!canvas || !context) throw new Error("there is no screen");
    const content = () => {
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let sum = 0;
      for (let index = 0; index < data.length; index += 4) sum = (sum * 31 + (data[index] ?? 0)) | 0;
      return sum;
    };
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const press = (type: string) =>
      canvas.dispatchEvent(new KeyboardEvent(type, { key: "x", code: "KeyX", bubbles: true, cancelable: true }));
    canvas.focus();
    const times: number[] = [];
    for (let key = 0; key < count; key++) {
      const before = content();
      const start = performance.now();
      press("keydown");
      press("keyup");
      while (content() === before && performance.now() - start < 2000) await frame();
      times.push(performance.now() - start);
    }
    return times;
  }, keys);
}

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

export async function suite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const [browser, host] = await Promise.all([launchBrowser(), startTestHost("scripted")]);
  try {
    const { page } = await openPage(browser, host.entryUrl());
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, "Starter Linux", "Running");
    await showPane(page, "Display");
    await page.getByText("640 × 400").waitFor();
    const middle: number[] = [];
    const slow: number[] = [];
    const tasks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`round ${round + 1} of ${rounds}`);
      const { longest } = await longTasks(page, async () => {
        const times = await keyToPixels(page, KEYS);
        middle.push(median(times));
        slow.push(percentile(times, 0.95));
      });
      tasks.push(longest);
    }
    const row = (what: string, values: readonly number[]) => ({
      what,
      unit: "ms",
      values: { Terrarium: median(values) },
    });
    return {
      suite: "display",
      versions: { Chromium: browser.version() },
      missing: {},
      rounds,
      rows: [
        row("key to pixels, median", middle),
        row("key to pixels, 95th percentile", slow),
        row("longest task meanwhile", tasks),
      ],
      notes: ["The scripted guest looks at its screen every 40 ms; that wait is part of the figures."],
    };
  } finally {
    await browser.close();
    await host.close();
  }
}
