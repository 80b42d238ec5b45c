// What a user does, in the words of the interface. Everything is found by role and name.

import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright-core";
import { consoleText } from "./browser.ts";

export type PaneName = "Details" | "Display" | "Console" | "Snapshots" | "Files" | "Activity" | "Logs";

export async function showPane(page: Page, name: PaneName): Promise<void> {
  await page.getByRole("tab", { name, exact: true }).click();
  await page.getByRole("tabpanel", { name }).waitFor();
}

/** A button of the tool bar over the panes. */
export function machineCommand(page: Page, name: string) {
  return page.getByRole("toolbar", { name: "Machine commands" }).getByRole("button", { name, exact: true });
}

/** Chooses one of the ways to stop the selected machine. */
export async function stopMachine(page: Page, how: RegExp): Promise<void> {
  await machineCommand(page, "Stop").click();
  await page.getByRole("menuitem", { name: how }).click();
}

/** Types a command into the console and waits until the console shows what is expected. */
export async function runInConsole(page: Page, command: string, expected: RegExp, timeoutMs = 5000): Promise<void> {
  await showPane(page, "Console");
  // Keys typed before the line is up, right after a restore for instance, go nowhere.
  await page.getByText(/^Connected · /).waitFor();
  await page.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type(`${command}\n`, { delay: 2 });
  await waitForConsole(page, expected, timeoutMs);
}

/** Waits until the console shows this; works outside of a test too. */
export async function waitForConsole(page: Page, expected: RegExp, timeoutMs = 5000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const text = (await consoleText(page)).trimEnd();
    if (expected.test(text)) return;
    if (Date.now() > deadline) throw new Error(`The console does not show ${expected}, but:\n${text}`);
    await pause(100);
  }
}

/** What Starter Linux's shell shows when it waits for a command. */
export const STARTER_PROMPT = /starter:\S+# *$/;

/** The machines on the left. */
export function machineTree(page: Page) {
  return page.getByRole("tree", { name: "Machines" });
}

export function machineRow(page: Page, name: string) {
  return machineTree(page)
    .getByRole("treeitem")
    .filter({ has: page.getByText(name, { exact: true }) });
}

export async function waitForState(page: Page, machine: string, state: string, timeoutMs = 10_000): Promise<void> {
  await machineRow(page, machine)
    .filter({ has: page.getByText(state, { exact: true }) })
    .waitFor({ timeout: timeoutMs });
}

/** The tree of the Snapshots pane. */
export function snapshotTree(page: Page) {
  return page.getByRole("tree", { name: /^Snapshots of/ });
}

export async function takeSnapshot(page: Page, name: string, timeoutMs = 10_000): Promise<void> {
  await showPane(page, "Snapshots");
  await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Take" }).click();
  const question = page.getByRole("form", { name: /^Take a snapshot/ });
  await question.getByLabel("Name").fill(name);
  await question.getByRole("button", { name: "Take" }).click();
  await snapshotRow(page, name).waitFor({ timeout: timeoutMs });
}

export function snapshotRow(page: Page, name: string) {
  return snapshotTree(page)
    .getByRole("treeitem")
    .filter({ has: page.getByText(name, { exact: true }) });
}

export async function restoreSnapshot(page: Page, name: string, timeoutMs = 30_000): Promise<void> {
  await showPane(page, "Snapshots");
  await snapshotRow(page, name).click();
  await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Restore" }).click();
  const question = page.getByRole("form", { name: /^Go back/ });
  await question.getByRole("button", { name: "Restore" }).click();
  const done = page.getByText(/is back at/).first();
  const failed = page.getByRole("alert").first();
  await done.or(failed).first().waitFor({ timeout: timeoutMs });
  if (!(await done.isVisible())) throw new Error(`The restore failed: ${await failed.innerText()}`);
}

/** A fingerprint of the machine's screen as the Display pane draws it. */
export function screenPicture(page: Page): Promise<string> {
  return page.getByRole("application").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
}
