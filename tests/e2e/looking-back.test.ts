// Ways back to a moment: what consoles printed and the snapshot before it, snapshots in the order of time, files as they were.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { machineRow, showPane, snapshotTree, takeSnapshot, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

const NAME = "Starter Linux";

const app = appUnderTest({
  async begin({ page }) {
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
    await takeSnapshot(page, "Before the upgrade");
  },
});

const tools = () => app.page.getByRole("navigation", { name: "Tools" });

/** What the machine's serial log would hold, with the times of its parts. */
async function printed(text: string): Promise<void> {
  const [folder] = await app.host.machineFolders();
  const logs = path.join(folder ?? "", "logs");
  await mkdir(logs, { recursive: true });
  await writeFile(path.join(logs, "ttyS0.log"), text);
  await writeFile(path.join(logs, "ttyS0.log.times"), `${Date.now()} 0\n`);
}

test("a search over all consoles leads to the snapshot before the line", async () => {
  await printed("login: root\nkernel: \u001b[31mOops\u001b[0m: 0002\n");
  await tools().getByRole("button", { name: "Consoles" }).click();
  await app.page.getByRole("searchbox", { name: "Find in what all machines printed" }).fill("oops");
  const table = app.page.getByRole("table", { name: "Lines found" });
  const row = table.getByRole("row").filter({ hasText: "kernel: Oops: 0002" });
  await row.getByText("Oops", { exact: true }).waitFor();
  await expectAccessible(app.page);
  await row.getByRole("button", { name: "Before the upgrade" }).click();
  const selected = snapshotTree(app.page)
    .getByRole("treeitem", { selected: true })
    .filter({ hasText: "Before the upgrade" });
  await selected.waitFor();
  await tools().getByRole("button", { name: "Consoles" }).click();
  await app.page.getByRole("searchbox", { name: "Find in what all machines printed" }).fill("never printed");
  await app.page.getByText("No machine printed that.").waitFor();
});

test("snapshots are shown in the order of time, and chosen with the arrow keys", async () => {
  await machineRow(app.page, NAME).click();
  await takeSnapshot(app.page, "After the upgrade");
  await app.page.getByRole("button", { name: "Timeline" }).click();
  const timeline = app.page.getByRole("listbox", { name: `Snapshots of ${NAME} in the order of time` });
  const names = timeline.getByRole("option");
  expect(await names.allInnerTexts()).toMatchObject([
    expect.stringContaining("Before the upgrade"),
    expect.stringContaining("After the upgrade"),
  ]);
  await names.first().click();
  await app.page.keyboard.press("ArrowRight");
  await timeline.getByRole("option", { name: /After the upgrade/, selected: true }).waitFor();
  await expectAccessible(app.page);
  await app.page.getByRole("button", { name: "Timeline" }).click();
  await timeline.waitFor({ state: "detached" });
});

test("files as they were are browsed without the guest, or it is said why not", async () => {
  await showPane(app.page, "Files");
  await app.page.getByRole("combobox", { name: "Files of", exact: true }).waitFor();
  const table = app.page.getByRole("table", { name: "Files in /" });
  const none = app.page.getByText("No file system that can be read");
  await table.or(none).first().waitFor();
  await expectAccessible(app.page);
  expect(app.problems).toEqual([]);
});
