// Networks in the interface, on the real host with the scripted guest.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { machineRow, showPane, waitForState } from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";

const NAME = "Starter Linux";

let page: Page;
let problems: string[];

appUnderTest({
  async begin(app) {
    ({ page, problems } = app);
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
  },
});

const settings = () => page.getByRole("dialog", { name: `Settings of ${NAME}` });

const openTool = () => page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name: "Network" }).click();

test("the Network tool shows the address that a machine was given, its traffic and what the firewall stopped", async () => {
  await openTool();
  const row = page.getByRole("region", { name: "NAT" }).getByRole("row", { name: new RegExp(NAME) });
  await row.getByRole("cell", { name: "10.0.2.15", exact: true }).waitFor();
  const cells = await row.getByRole("cell").allInnerTexts();
  for (const shown of [/^48\sKiB$/, /^6\sKiB$/, /^7$/]) expect(cells).toContainEqual(expect.stringMatching(shown));
  await machineRow(page, NAME).click();
});

test("Details show what an adapter is plugged into, and lead to its settings", async () => {
  await showPane(page, "Details");
  await page.getByRole("region", { name: "Network" }).getByRole("button", { name: "NAT" }).click();
  await settings().getByRole("combobox", { name: "nic0 is plugged into" }).waitFor();
});

test("a forward, a rule and another network are set while the machine runs", async () => {
  const dialog = settings();
  await dialog.getByRole("combobox", { name: "nic0 is plugged into" }).selectOption("host-only");
  await dialog.getByRole("textbox", { name: "Name of the network" }).fill("office");
  await dialog.getByRole("button", { name: "More" }).click();
  await dialog.getByRole("button", { name: "Add Forward" }).click();
  await dialog.getByRole("spinbutton", { name: "Port on this computer" }).fill("2222");
  await dialog.getByRole("spinbutton", { name: "Port in the machine" }).fill("22");
  await dialog.getByRole("button", { name: "Add Rule" }).click();
  await dialog.getByRole("textbox", { name: "Address of the other end" }).fill("10.0.0.0/33");
  await dialog.getByRole("alert").filter({ hasText: "an address or a range" }).waitFor();
  await dialog.getByRole("textbox", { name: "Address of the other end" }).fill("10.0.0.0/8");
  await dialog.getByRole("button", { name: "OK" }).click();
  await dialog.waitFor({ state: "detached" });
  const box = page.getByRole("region", { name: "Network" });
  await box.getByText("Host-only network “office”").waitFor();
  await box.getByText("tcp 127.0.0.1:2222 → 22").waitFor();
});

test("a running machine is given an adapter with a limit, and relieved of it", async () => {
  const box = page.getByRole("region", { name: "Network" });
  const open = () => box.getByRole("button", { name: /Host-only network/ }).click();
  const dialog = settings();
  await open();
  await dialog.getByRole("button", { name: "Add Adapter" }).click();
  await dialog.getByRole("combobox", { name: "nic1 is plugged into" }).selectOption("internal");
  const more = dialog.getByRole("button", { name: "More" });
  expect(await dialog.getByRole("button", { name: "Remove nic0" }).isEnabled()).toBe(true);
  await more.last().click();
  await dialog.getByRole("combobox", { name: "Model" }).selectOption("e1000");
  await dialog.getByRole("spinbutton", { name: "Limit incoming" }).fill("10000");
  await dialog.getByRole("button", { name: "OK" }).click();
  await dialog.waitFor({ state: "detached" });
  await box.getByText("Internal network “intnet”").waitFor();
  await open();
  await more.last().click();
  expect(await dialog.getByRole("spinbutton", { name: "Limit incoming" }).inputValue()).toBe("10000");
  expect(await dialog.getByRole("combobox", { name: "Model" }).isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: "Remove nic1" }).click();
  await dialog.getByRole("button", { name: "OK" }).click();
  await dialog.waitFor({ state: "detached" });
  await box.getByText("Internal network “intnet”").waitFor({ state: "detached" });
});

test("the Network tool shows who is plugged in where, and pulls cables", async () => {
  await openTool();
  const network = page.getByRole("region", { name: "Host-only network “office”" });
  await network.getByRole("row", { name: new RegExp(NAME) }).waitFor();
  const cable = network.getByRole("checkbox", { name: `Cable of nic0 of ${NAME}` });
  await expect.poll(() => cable.isChecked()).toBe(true);
  await cable.click({ force: true });
  await expect.poll(() => cable.isChecked()).toBe(false);
  await network.getByRole("button", { name: `Capture nic0 of ${NAME}` }).click();
  await page.getByText("Capturing packets").first().waitFor();
  const stop = network.getByRole("button", { name: `Stop capturing nic0 of ${NAME}` });
  expect(await stop.innerText()).toMatch(/^2\sKiB$/);
  expect(await stop.getAttribute("title")).toMatch(/capture-nic0-.*\.pcapng$/);
  await stop.click();
  await network.getByRole("button", { name: `Capture nic0 of ${NAME}` }).waitFor();
});

test("a forward that could not be opened is marked, with the reason", async () => {
  await page.getByRole("button", { name: `Change nic0 of ${NAME}` }).click();
  const dialog = settings();
  await dialog.getByRole("button", { name: "More" }).click();
  await dialog.getByRole("spinbutton", { name: "Port on this computer" }).fill("1");
  await dialog.getByRole("button", { name: "OK" }).click();
  await page.getByTitle("The tcp port 1 can't be opened").waitFor();
});

test("is usable without a mouse and for screen readers", async () => {
  await expectAccessible(page);
  await machineRow(page, NAME).click();
  expect(problems).toEqual([]);
});
