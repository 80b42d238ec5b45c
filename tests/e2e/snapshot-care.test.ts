// What belongs around snapshots in the app: comparing, space, linked clones, and the trash with its way back.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { machineRow, showPane, snapshotRow, stopMachine, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

let page: Page;

appUnderTest({
  async begin(app) {
    ({ page } = app);
  },
});

test("a snapshot is pinned, compared with now, and its machine's space is told", async () => {
  await page.getByRole("button", { name: "Start a Linux machine" }).click();
  await machineRow(page, "Starter Linux").waitFor();
  await showPane(page, "Snapshots");
  await page.getByText(/as the guest sees it/).waitFor();
  await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Take" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("One");
  await page.getByRole("form").getByRole("button", { name: "Take" }).click();
  await snapshotRow(page, "One").click();
  await page.getByRole("button", { name: "Pin", exact: true }).click();
  await page.getByRole("img", { name: /^Pinned/ }).waitFor();
  await page.getByRole("button", { name: "Compare…" }).click();
  const dialog = page.getByRole("dialog", { name: "What changed since “One”" });
  // The machine runs on.
  await dialog.getByRole("region", { name: "disk0" }).waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await waitForState(page, "Starter Linux", "Running");
  expect(await snapshotRow(page, "Comparison of Starter Linux").count()).toBe(0);
});

test("a disk that was taken out is deleted, brought back, and put back into its machine", async () => {
  await showPane(page, "Details");
  await page.getByRole("button", { name: "Detach disk0" }).click();
  await page.getByText("The disk disk0 was taken out").waitFor();
  await page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name: "Media" }).click();
  const row = page.getByRole("table", { name: "Disk images" }).getByRole("row").filter({ hasText: "taken out" });
  await row.waitFor();
  await expectAccessible(page);
  await row.getByRole("button", { name: /^Delete disk0/ }).click();
  await row.waitFor({ state: "detached" });
  await page
    .getByRole("status")
    .filter({ hasText: /disk0\S* was deleted/ })
    .getByRole("button", { name: "Undo" })
    .click();
  await row.getByRole("button", { name: /^Put back disk0\S* into Starter Linux$/ }).click();
  await page.getByText("Starter Linux has the disk disk0 again").waitFor();
  await row.waitFor({ state: "detached" });
  await machineRow(page, "Starter Linux").click();
  await showPane(page, "Snapshots");
});

test("a check names damaged memory, which is repaired or given up", async () => {
  // The memory that the guest of this test keeps is none that could be checked.
  await page.getByRole("button", { name: "Check…" }).click();
  const dialog = page.getByRole("dialog", { name: "Check of Starter Linux" });
  await dialog.getByRole("list", { name: "Damage" }).getByText("Hits snapshots: One").waitFor();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Repair" }).click();
  await dialog.getByRole("button", { name: "Give Up Memory of “One”" }).click();
  await dialog.getByText(/read; (all are|it is) whole/).waitFor();
  await dialog.getByText("Close", { exact: true }).click();
  await dialog.waitFor({ state: "detached" });
});

test("settings are compared with the snapshot that the present state came from", async () => {
  await stopMachine(page, /^Power Off/);
  await waitForState(page, "Starter Linux", "Powered Off");
  await page.getByRole("button", { name: "Settings" }).click();
  const settings = page.getByRole("dialog", { name: "Settings of Starter Linux" });
  await settings.getByRole("tab", { name: "System" }).click();
  await settings.getByRole("spinbutton", { name: "Memory" }).fill("300");
  await settings.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Settings of Starter Linux saved").first().waitFor();
  await settings.getByRole("button", { name: /^Compare with/ }).click();
  const diff = page.getByRole("dialog", { name: /^What changed since/ });
  const settingsTable = diff.getByRole("table", { name: "Settings that differ" });
  await settingsTable.getByRole("row", { name: /^Setting .*Current State$/ }).waitFor();
  await settingsTable.getByRole("row", { name: "Memory 256 MiB 300 MiB" }).waitFor();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await diff.waitFor({ state: "detached" });
  await settings.getByRole("button", { name: "Cancel" }).click();
});

test("linked clones are made, removed, and come back from the trash", async () => {
  await showPane(page, "Snapshots");
  await snapshotRow(page, "One").click();
  await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Clone…" }).click();
  const clone = page.getByRole("dialog", { name: /^Clone/ });
  await clone.getByRole("textbox", { name: "Name of the clone" }).fill("Twin");
  expect(await clone.getByRole("radio", { name: /^Linked/ }).isChecked()).toBe(true);
  await clone.getByRole("button", { name: "Clone", exact: true }).click();
  await machineRow(page, "Twin").click();
  await page.keyboard.press("Delete");
  await machineRow(page, "Twin").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("menuitem", { name: "Trash…" }).click();
  const trash = page.getByRole("dialog", { name: "Trash" });
  await trash.getByRole("button", { name: "Restore Twin" }).click();
  await machineRow(page, "Twin").waitFor();
  await trash.getByText("The trash is empty.").waitFor();
});
