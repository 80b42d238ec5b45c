// Machines that go elsewhere and come back, disks that become larger, and machines that nobody else can read.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { machineRow, machineTree, showPane, stopMachine, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";
import type { TestHost } from "./support/hosts.ts";

/** What copies whole machines. */
const LONG = { timeout: 30_000 };

const folder = temporaryFolder("elsewhere");
let page: Page;
let host: TestHost;

appUnderTest({
  async begin(app) {
    ({ page, host } = app);
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
  await page.getByRole("toolbar", { name: "Machine commands" }).getByRole("button", { name: "Import…" }).click();
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

test("what can't be exported for other products says why, and goes into one file for Terrarium instead", async () => {
  await openExport(/^Archive for other products/);
  await exportDialog().getByRole("textbox", { name: "Folder" }).fill(folder.path);
  await exportDialog().getByRole("button", { name: "Export", exact: true }).click();
  const refusal = exportDialog().getByRole("alert");
  await refusal.getByText(/Export it as a \.terrarium file/).waitFor();
  expect(existsSync(join(folder.path, "Starter Linux.ova"))).toBe(false);
  await exportDialog()
    .getByRole("radio", { name: /^One file for Terrarium/ })
    .check({ force: true });
  expect(await exportDialog().getByRole("textbox", { name: "File name" }).inputValue()).toBe("Starter Linux.terrarium");
  await exportDialog().getByRole("button", { name: "Export", exact: true }).click();
  await exportDialog().waitFor({ state: "detached", ...LONG });
  const dialog = await openImport(/^A file/);
  await dialog.getByRole("textbox", { name: "File" }).fill(join(folder.path, "Starter Linux.terrarium"));
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await machineRow(page, "Starter Linux 2").waitFor(LONG);
});

test("a disk of a machine that is off becomes larger", async () => {
  await machineRow(page, "Starter Linux").click();
  await stopMachine(page, /^Power Off/);
  await waitForState(page, "Starter Linux", "Powered Off");
  await showPane(page, "Details");
  await page.getByRole("button", { name: "Resize disk0 of Starter Linux" }).click();
  const dialog = page.getByRole("dialog", { name: "Resize disk0 of Starter Linux" });
  await dialog.getByText("It has 1 GiB now.").waitFor();
  await expectAccessible(page);
  await dialog.getByRole("spinbutton", { name: "New size" }).fill("3");
  await dialog.getByRole("button", { name: "Resize", exact: true }).click();
  await page.getByText("disk0 has 3 GiB now").first().waitFor();
  await page.getByText(/ used of 3 GiB$/).waitFor();
});

const PASSPHRASE = "a glass dome with a sprout";

/** Opens the question of encryption, chooses what to do, types the passphrases by their labels, and answers. */
async function encryption(act: string, passphrases: Readonly<Record<string, string>> = {}) {
  await machineRow(page, "Starter Linux").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Encryption…" }).click();
  const dialog = page.getByRole("dialog", { name: "Encryption of Starter Linux" });
  const answer = dialog.getByRole("button", { name: act, exact: true });
  const choice = dialog.getByRole("radio", { name: act, exact: true });
  await choice.or(answer).first().waitFor();
  if (await choice.count()) await choice.check({ force: true });
  for (const [name, text] of Object.entries(passphrases))
    await dialog.getByRole("textbox", { name, exact: true }).fill(text);
  if (Object.keys(passphrases).length > 1) await expectAccessible(page);
  await answer.click();
  return dialog;
}

test("a machine is encrypted, locked, unlocked with its passphrase alone, given another one, and decrypted", async () => {
  const locked = machineRow(page, "Starter Linux").getByRole("img", { name: "Encrypted and locked" });
  const unlocked = machineRow(page, "Starter Linux").getByRole("img", { name: "Encrypted and unlocked" });
  await encryption("Encrypt", { "New passphrase": PASSPHRASE, "The same again": PASSPHRASE });
  await unlocked.waitFor(LONG);
  await encryption("Lock");
  await locked.waitFor();
  const dialog = await encryption("Unlock", { Passphrase: "not the passphrase" });
  await dialog
    .getByRole("alert")
    .getByText(/passphrase/i)
    .first()
    .waitFor(LONG);
  expect(await locked.count()).toBe(1);
  await expectAccessible(page);
  await dialog.getByRole("textbox", { name: "Passphrase" }).fill(PASSPHRASE);
  await dialog.getByRole("button", { name: "Unlock", exact: true }).click();
  await unlocked.waitFor(LONG);
  const other = `${PASSPHRASE}, and more`;
  await encryption("Change the passphrase", {
    Passphrase: PASSPHRASE,
    "New passphrase": other,
    "The same again": other,
  });
  await page.getByText("Starter Linux has a new passphrase").first().waitFor(LONG);
  await encryption("Decrypt", { Passphrase: other });
  await unlocked.waitFor({ state: "detached", ...LONG });
  await page.getByText("Starter Linux is not encrypted any more").first().waitFor();
});

/** As the desktop shell does for links and for files that are opened with the app (main/desktop/requests.ts). */
const goTo = (place: string) => page.evaluate((hash) => window.location.assign(hash), `#/${place}`);

test("a file that is opened with the app is proposed, and nothing happens before the user agrees", async () => {
  const machines = await machineTree(page).getByRole("treeitem").count();
  const file = join(folder.path, "Starter Linux.terrarium");
  await goTo(`open/${encodeURIComponent(file)}`);
  const dialog = page.getByRole("dialog", { name: "Import a machine" });
  expect(await dialog.getByRole("textbox", { name: "File" }).inputValue()).toBe(file);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await goTo(`open/${encodeURIComponent(join(folder.path, "missing.iso"))}`);
  await page.getByRole("dialog", { name: /New machine/i }).waitFor();
  await page.keyboard.press("Escape");
  expect(await machineTree(page).getByRole("treeitem").count()).toBe(machines);
});

test("a link selects a machine, and starts it only when the user says so, however the page came about", async () => {
  const [machineFolder = ""] = await host.machineFolders();
  const id = basename(machineFolder);
  const { origin } = new URL(page.url());
  const asked = page.getByRole("dialog", { name: /^Start .*\?$/ });
  await goTo(`machines/${id}/start`);
  await asked.getByText("A link from another program asks for it.").waitFor();
  await asked.getByRole("button", { name: "Cancel" }).click();
  await page.goto("about:blank");
  await page.goto(`${origin}/#/machines/${id}/start`);
  await asked.waitFor();
  expect(new URL(page.url()).hash).toBe("");
  await asked.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("tabpanel", { name: "Display" }).waitFor();
  await machineTree(page).getByText("Running", { exact: true }).waitFor();
});
