// A machine that goes elsewhere and comes back.
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { machineRow, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

/** What copies whole machines. */
const LONG = { timeout: 30_000 };

const folder = temporaryFolder("elsewhere");
let page: Page;

appUnderTest({
  async begin(app) {
    ({ page } = app);
  },
});

afterAll(() => folder.remove());

const exportDialog = () => page.getByRole("dialog", { name: "Back up or export Starter Linux" });

async function openExport(kind: RegExp): Promise<void> {
  await machineRow(page, "Starter Linux").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Back Up or Export…" }).click();
  await exportDialog().getByRole("radio", { name: kind }).check({ force: true });
}

async function openImport(source: RegExp) {
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("menuitem", { name: "Import…" }).click();
  const dialog = page.getByRole("dialog", { name: "Import a machine" });
  await dialog.getByRole("radio", { name: source }).check({ force: true });
  return dialog;
}

test("a running machine is backed up to a folder that is chosen, and a new one is made of the backup", async () => {
  await page.getByRole("button", { name: "Start a Linux machine" }).click();
  await waitForState(page, "Starter Linux", "Running");
  await openExport(/^Backup in a folder/);
  await expectAccessible(page);
  await exportDialog().getByRole("button", { name: "Browse…" }).click();
  const picker = page.getByRole("dialog", { name: "Choose a folder" });
  await picker.getByRole("textbox", { name: "Folder" }).fill(folder.path);
  await page.keyboard.press("Enter");
  await picker.getByRole("button", { name: "Choose This Folder" }).click();
  await exportDialog().getByRole("button", { name: "Back Up", exact: true }).click();
  await page.getByText("Starter Linux was backed up").first().waitFor(LONG);
  const dialog = await openImport(/^A backup/);
  await dialog.getByRole("textbox", { name: "Folder" }).fill(folder.path);
  await dialog.getByRole("radio", { name: /^Starter Linux, / }).check({ force: true });
  await expectAccessible(page);
  await dialog.getByRole("textbox", { name: "Name" }).fill("From backup");
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await machineRow(page, "From backup").waitFor(LONG);
});
