// What a page has to keep to wherever the user is: axe finds nothing serious or critical. A picture of it is kept in out/pictures, so that
// somebody can look at every pane and dialog, in light and dark, after a run.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const PICTURES = fileURLToPath(new URL("../../../out/pictures/", import.meta.url));
const taken = new Map<string, number>();

export async function expectAccessible(page: Page): Promise<void> {
  await keepPicture(page, expect.getState().currentTestName ?? "page");
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary?.slice(0, 300)})`),
    );
  expect(grave).toEqual([]);
}

/** Named after the test; a number tells several of one test apart. */
export async function keepPicture(page: Page, test: string): Promise<void> {
  const name = test.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const number = (taken.get(name) ?? 0) + 1;
  taken.set(name, number);
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${name}-${number}.png`) });
}
