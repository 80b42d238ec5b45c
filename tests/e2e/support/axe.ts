// What axe finds on the page as it is: only what is serious or critical counts.
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";

export async function findings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary?.slice(0, 300)})`),
    );
}
