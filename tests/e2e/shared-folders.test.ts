// Shared folders in the interface: shared while the machine runs, named where one looks for them, and browsed.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { showPane, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

const NAME = "Starter Linux";
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "shared-folders-"));
  await mkdir(path.join(folder, "papers", "letters"), { recursive: true });
  await writeFile(path.join(folder, "papers", "letters", "note.txt"), "hello from this computer");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const app = appUnderTest({
  async begin({ page }) {
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
  },
});

const box = () => app.page.getByRole("region", { name: "Shared Folders" });
const settings = () => app.page.getByRole("dialog", { name: `Settings of ${NAME}` });

async function accessibleInBothThemes(): Promise<void> {
  for (const colorScheme of ["dark", "light"] as const) {
    await app.page.emulateMedia({ colorScheme });
    await expectAccessible(app.page);
  }
}

test("a folder is shared while the machine runs, with a mistake shown at its field", async () => {
  await showPane(app.page, "Details");
  await box().getByRole("button", { name: "No folder of this computer is shared with the guest." }).click();
  const dialog = settings();
  await dialog.getByRole("button", { name: "Share a Folder" }).click();
  const picker = app.page.getByRole("dialog", { name: "Choose a folder" });
  await picker.getByRole("button", { name: "Choose This Folder" }).click();
  const where = dialog.getByRole("textbox", { name: "Folder of this computer" });
  await where.fill("papers");
  await dialog.getByRole("alert").filter({ hasText: "the whole path of a folder" }).waitFor();
  await where.fill(path.join(folder, "papers"));
  await dialog.getByRole("textbox", { name: "Name in the guest" }).fill("papers");
  await dialog.getByText("Read-only", { exact: true }).click();
  await dialog.getByText("mount -t 9p").waitFor();
  await accessibleInBothThemes();
  await dialog.getByRole("button", { name: "OK" }).click();
  await dialog.waitFor({ state: "detached" });
  await box()
    .getByRole("button", { name: path.join(folder, "papers") })
    .waitFor();
  await box().getByText("Read-only").waitFor();
  await accessibleInBothThemes();
});

test("it has a light in the machine's window, which leads to it", async () => {
  await showPane(app.page, "Display");
  await app.page.getByRole("button", { name: "Shared Folders: papers" }).click();
  await settings().getByRole("textbox", { name: "Name in the guest" }).waitFor();
  await settings().getByRole("button", { name: "Cancel" }).click();
  await settings().waitFor({ state: "detached" });
});

test("its files are browsed, and saved", async () => {
  await showPane(app.page, "Files");
  await app.page.getByRole("combobox", { name: "Files of" }).selectOption("Shared folder papers");
  await app.page.getByRole("table", { name: "Files in /" }).getByRole("button", { name: "letters" }).click();
  const table = app.page.getByRole("table", { name: "Files in /letters" });
  await table.getByRole("row", { name: /note\.txt 24 B/ }).waitFor();
  await accessibleInBothThemes();
  const saved = app.page.waitForEvent("download");
  await table.getByRole("button", { name: /note\.txt/ }).click();
  expect((await saved).suggestedFilename()).toBe("note.txt");
  await writeFile(path.join(folder, "papers", "letters", "later.txt"), "");
  await table.getByText("later.txt").waitFor();
  expect(app.problems).toEqual([]);
});
