// New machines from the catalogue: downloaded from a web server on the loopback, set up without questions, and their files in Media.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileServer } from "../support/file-server.ts";
import { isoImage } from "../support/iso-image.ts";
import { kernelBytes } from "../support/test-app.ts";
import { machineCommand, machineRow, showPane, stopMachine, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

const NAME = "debian-13.1.0-amd64-netinst.iso";
const DISC = Buffer.from(
  isoImage({
    label: "Debian 13.1.0 amd64 n",
    files: new Map<string, Uint8Array>([
      ["INSTALL.AMD/VMLINUZ", kernelBytes()],
      ["INSTALL.AMD/INITRD.GZ", Buffer.from("initrd")],
    ]),
  }),
);

let server: FileServer;
let home: string;

/** One system, with the server of this file as its publisher. */
function catalogue(folder: string) {
  const release = {
    ...{ id: "debian-test", name: "Debian 13, network installer", architecture: "x86_64", kind: "disc", folder },
    ...{ file: "debian-.*\\.iso", checksums: "SHA256SUMS", sizeMiB: 1, unattended: "preseed" },
  };
  const system = {
    ...{ id: "debian", name: "Debian", recognize: "debian", osType: "linux", memoryMiB: 512, diskMiB: 4096 },
    ...{ cpuCount: 1, firmware: "bios", unattended: "preseed", page: folder, releases: [release] },
  };
  return { version: 1, systems: [system] };
}

beforeAll(async () => {
  server = await FileServer.listen();
});

afterAll(async () => {
  delete process.env["TERRARIUM_CATALOGUE"];
  await server.close();
});

const app = appUnderTest({
  async prepare(folderOfData) {
    home = folderOfData;
    const folder = path.join(home, "catalogue");
    await mkdir(folder);
    await writeFile(path.join(folder, "systems.json"), JSON.stringify(catalogue(server.url)));
    process.env["TERRARIUM_CATALOGUE"] = folder;
  },
});

const dialog = () => app.page.getByRole("dialog", { name: "New machine" });
const next = () => dialog().getByRole("button", { name: "Next" }).click();

/** A file from outside of the browser, held over the window or let go. */
function drag(kind: "dragover" | "drop"): Promise<void> {
  return app.page.evaluate((type) => {
    const data = new DataTransfer();
    data.items.add(new File(["disc"], "debian.iso"));
    window.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }, kind);
}

/** Those of failures stay until then, over whatever is below. */
async function dismissNotices(): Promise<void> {
  const notices = app.page.getByRole("region", { name: "Notifications" }).getByRole("button", { name: "Dismiss" });
  // The others go by themselves, maybe just before the click.
  while ((await notices.count()) > 0) {
    await notices
      .first()
      .click({ timeout: 1000 })
      .catch(() => undefined);
  }
}

test("a file held over the window is told what will happen, and a browser how to choose it instead", async () => {
  await app.page.getByRole("button", { name: "New", exact: true }).waitFor();
  await drag("dragover");
  const hint = app.page.getByRole("status").filter({ hasText: "Drop a disc or a disk image" });
  await hint.waitFor();
  await drag("drop");
  await hint.waitFor({ state: "detached" });
  await app.page.getByText("A browser does not tell where a file is").first().waitFor();
});

test("what can't be downloaded says why and what to do instead", async () => {
  await app.page.getByRole("button", { name: "New", exact: true }).click();
  await dialog().getByRole("radio", { name: "Download" }).click();
  await next();
  await dialog().getByText("Choose a system to download.").waitFor();
  await dialog().getByRole("combobox", { name: "Download" }).selectOption("Debian 13, network installer");
  expect(await dialog().getByRole("textbox", { name: "Name" }).inputValue()).toBe("Debian");
  await next();
  await dialog().getByText("Download it first.").waitFor();
  await dialog()
    .getByRole("button", { name: /^Download \(/ })
    .click();
  await dialog()
    .getByText(/choose the file by hand/)
    .waitFor();
});

test("a download is checked, and its machine is set up with the answers that were given", async () => {
  server.serve(NAME, DISC);
  server.serve("SHA256SUMS", `${createHash("sha256").update(DISC).digest("hex")}  ${NAME}\n`);
  await dialog()
    .getByRole("button", { name: /^Download \(/ })
    .click();
  await dialog().getByText("It is on this computer.").waitFor();
  await next();
  await dialog().getByText("Set up without questions").click();
  await next();
  await dialog().getByText("a password is needed").waitFor();
  await dialog().getByRole("textbox", { name: "User name" }).fill("ada");
  await dialog().getByLabel("Password").fill("geheim");
  await dialog()
    .getByRole("status")
    .filter({ hasText: "It installs itself for ada as debian, without asking." })
    .waitFor();
  await next();
  await next();
  await next();
  const summary = dialog().getByRole("group", { name: "Summary" });
  await summary.getByText(/Little at first, at most 4 GiB/).waitFor();
  await summary.getByText(/the installation runs by itself/).waitFor();
  await dialog().getByText("Start after creating").click();
  await dialog().getByRole("button", { name: "Create", exact: true }).last().click();
  await dialog().waitFor({ state: "detached" });
  await waitForState(app.page, "Debian", "Powered Off");
});

const storage = () => app.page.getByRole("region", { name: "Storage" });

async function insertDisc(file: string): Promise<void> {
  await storage().getByRole("button", { name: "Insert a disc into cd0" }).click();
  const picker = app.page.getByRole("dialog", { name: "Choose a file on the host" });
  const chosen = picker.getByRole("textbox", { name: "Folder" });
  // What is typed before the first folder is shown gets mixed up with it.
  await expect.poll(() => chosen.inputValue()).not.toBe("");
  await chosen.fill(path.dirname(file));
  await app.page.keyboard.press("Enter");
  await picker.getByRole("button", { name: path.basename(file) }).click();
  await picker.getByRole("button", { name: "Choose", exact: true }).click();
  await storage().getByText(path.basename(file)).waitFor();
}

test("the disc is ejected and put back in the Storage box", async () => {
  await showPane(app.page, "Details");
  const eject = storage().getByRole("button", { name: "Eject the disc from cd0" });
  const disc = await storage().getByText(NAME).getAttribute("title");
  await eject.click();
  await storage().getByText("No disc").waitFor();
  expect(await eject.isDisabled()).toBe(true);
  await insertDisc(disc ?? "");
});

test("files dropped on a running machine's screen are given to its guest on a disc, which is ejected again", async () => {
  const disc = (await storage().getByText(NAME).getAttribute("title")) ?? "";
  await machineCommand(app.page, "Start").click();
  await waitForState(app.page, "Debian", "Running");
  await showPane(app.page, "Display");
  await app.page.getByRole("application").waitFor();
  const drop = (files: readonly (readonly [name: string, bytes: number])[]) =>
    app.page.getByRole("application").evaluate((screen, all) => {
      const data = new DataTransfer();
      for (const [name, bytes] of all) data.items.add(new File([new Uint8Array(bytes)], name));
      screen.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, files);
  const question = app.page.getByRole("dialog", { name: "Give files to Debian" });
  const give = question.getByRole("button", { name: "Give to Guest" });

  await drop(Array.from({ length: 13 }, (_, number) => [`file-${number}`, 1] as const));
  await question.getByRole("alert").filter({ hasText: "At most 12 files" }).waitFor();
  expect(await give.isDisabled()).toBe(true);
  await app.page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });

  await drop([
    ["notes.txt", 600_000],
    ["empty.log", 0],
  ]);
  await question.getByText("in place of the disc that is in it now").waitFor();
  await expectAccessible(app.page);
  await give.click();
  await question.waitFor({ state: "detached" });
  await app.page.getByText("The files are on a disc in drive cd0").first().waitFor();
  await showPane(app.page, "Details");
  const handed = await storage().locator('[title*="/handed/"]').getAttribute("title");
  const content = await readFile(handed ?? "");
  expect(content.includes("NOTES.TXT;1")).toBe(true);
  expect(content.length).toBeGreaterThan(600_000);
  await app.page.getByRole("region", { name: "Notifications" }).getByRole("button", { name: "Eject the disc" }).click();
  await storage().getByText("No disc").waitFor();
  await insertDisc(disc);
  await stopMachine(app.page, /^Power Off/);
  await waitForState(app.page, "Debian", "Powered Off");
});

test("firmware's boot menu is offered where a machine starts, and refused in words where it starts without firmware", async () => {
  await app.page.getByRole("button", { name: "Ways to start" }).click();
  await app.page.getByRole("menuitem", { name: "Start with Boot Menu" }).click();
  await app.page
    .getByText(/does not start through firmware/)
    .first()
    .waitFor();
  await waitForState(app.page, "Debian", "Powered Off");
});

test("an image is converted from Media, and what can't be is told in the dialog", async () => {
  const source = path.join(home, "disk.raw");
  await writeFile(source, Buffer.alloc(1 << 20, 1));
  await app.page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name: "Media" }).click();
  await app.page.getByRole("button", { name: "Convert…" }).click();
  const question = app.page.getByRole("dialog", { name: "Convert the image of a disk" });
  await question.getByRole("textbox", { name: "Image", exact: true }).fill(source);
  expect(await question.getByRole("textbox", { name: "New image" }).inputValue()).toBe(path.join(home, "disk.qcow2"));
  await question.getByRole("textbox", { name: "New image" }).fill(source);
  await question.getByRole("button", { name: "Convert", exact: true }).click();
  await question.getByRole("alert").filter({ hasText: "There is a file of that name" }).waitFor();
  await expectAccessible(app.page);
  await question.getByRole("textbox", { name: "New image" }).fill(path.join(home, "disk.qcow2"));
  await question.getByRole("button", { name: "Convert", exact: true }).click();
  await question.waitFor({ state: "detached" });
  await app.page.getByText("The new image is ready").first().waitFor();
  await machineRow(app.page, "Debian").click();
  await dismissNotices();
});

test("downloads are listed in Media with who uses them, and deleted there", async () => {
  const tools = app.page.getByRole("navigation", { name: "Tools" });
  await tools.getByRole("button", { name: "Media" }).click();
  const table = app.page.getByRole("table", { name: "Downloads" });
  const row = table.getByRole("row").filter({ hasText: NAME });
  await row.filter({ hasText: "Debian" }).waitFor();
  const remove = row.getByRole("button", { name: `Delete ${NAME}` });
  expect(await remove.isDisabled()).toBe(true);
  await machineRow(app.page, "Debian").click();
  await app.page.keyboard.press("Delete");
  await machineRow(app.page, "Debian").waitFor({ state: "detached" });
  await tools.getByRole("button", { name: "Media" }).click();
  await remove.click();
  await row.waitFor({ state: "detached" });
  expect(app.problems).toEqual([]);
});
