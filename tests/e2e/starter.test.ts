// The whole path with a real guest: Starter Linux in the emulator core, made, used, broken and restored by clicks and keys alone.
import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  machineCommand,
  restoreSnapshot,
  runInConsole,
  STARTER_PROMPT,
  screenPicture,
  showPane,
  snapshotRow,
  takeSnapshot,
  waitForConsole,
  waitForState,
} from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";

const NAME = "Starter Linux";
const BOOT_MS = 90_000;
const COMMAND_MS = 20_000;

const kernel = fileURLToPath(new URL("../../out/starter/vmlinuz", import.meta.url));
const starterBuilt = await access(kernel).then(
  () => true,
  () => false,
);

describe.skipIf(!starterBuilt)("Starter Linux", () => {
  let page: Page;

  appUnderTest({
    guest: "embedded",
    async begin(app) {
      ({ page } = app);
    },
  });

  test(
    "one click boots it to its shell",
    async () => {
      await page.getByRole("button", { name: "Start a Linux machine" }).click();
      await waitForState(page, NAME, "Running", 30_000);
      await waitForConsole(page, STARTER_PROMPT, BOOT_MS);
    },
    BOOT_MS + 30_000,
  );

  test("its shell answers what is typed into the console", async () => {
    await runInConsole(page, "echo $((6 * 7)) is the answer", /^42 is the answer$/m, COMMAND_MS);
    await runInConsole(page, "uname -m", /^x86_64$/m, COMMAND_MS);
  });

  test("its screen shows what is written to it", async () => {
    await showPane(page, "Display");
    await page.getByRole("application").waitFor();
    await page.getByText(/^\d+ × \d+$/).waitFor();
    const before = await screenPicture(page);
    await runInConsole(page, "echo hello from the other side > /dev/tty1; echo done", /^done$/m, COMMAND_MS);
    await showPane(page, "Display");
    await page.getByText(/^\d+ × \d+$/).waitFor();
    await expect.poll(() => screenPicture(page), { timeout: COMMAND_MS, interval: 200 }).not.toBe(before);
  });

  test("keys typed into the display arrive in the guest", async () => {
    await page.getByRole("application").click();
    await page.keyboard.type("echo with shift ", { delay: 30 });
    // Playwright presses no Shift for a capital or a sign; the guest sees keys, not characters.
    await page.keyboard.press("Shift+Period", { delay: 30 });
    await page.keyboard.type(" keys", { delay: 30 });
    await page.keyboard.press("Enter", { delay: 30 });
    await runInConsole(page, "sleep 1; cat keys", /^with shift$/m, COMMAND_MS);
  });

  test("a text that is typed for the user arrives whole, signs and capitals too", async () => {
    const line = "The quick brown fox jumps over 13 lazy dogs: ~!@#%^&*()_+{}[];,./<>?-=| and BACK again. ";
    await showPane(page, "Display");
    await page.getByText(/^\d+ × \d+$/).waitFor();
    await page.getByRole("toolbar", { name: "Display" }).getByRole("button", { name: "Type Text" }).click();
    const form = page.getByRole("form", { name: "Type Text" });
    await form.getByRole("textbox").fill(`cat > typed << 'EOF'\n${line}\n${line}\nEOF\n`);
    await form.getByRole("button", { name: "Type", exact: true }).click();
    await form.waitFor({ state: "detached", timeout: COMMAND_MS });
    const sum = createHash("md5").update(`${line}\n${line}\n`).digest("hex");
    await runInConsole(page, "clear; sleep 1; md5sum typed", new RegExp(`^${sum}  typed$`, "m"), COMMAND_MS);
    await showPane(page, "Display");
  });

  test("a snapshot brings back what was changed after it, with the guest running all the time", async () => {
    await runInConsole(page, "clear; echo precious > /root/work; sync; cat /root/work", /^precious$/m, COMMAND_MS);
    await takeSnapshot(page, "Before the accident", 30_000);
    await runInConsole(page, "clear; rm /root/work; cat /root/work", /can't open '\/root\/work'/, COMMAND_MS);
    await restoreSnapshot(page, "Before the accident");
    await waitForState(page, NAME, "Running", 30_000);
    await snapshotRow(page, "Before restoring Before the accident").waitFor();
    await runInConsole(page, "clear; cat /root/work; echo restored", /precious\s+restored/, COMMAND_MS);
  });

  test("`poweroff` in the guest ends in Powered Off, and the file is there after the next start", async () => {
    await runInConsole(page, "echo kept > /root/kept; poweroff", /poweroff/, COMMAND_MS);
    await waitForState(page, NAME, "Powered Off", 60_000);
    await machineCommand(page, "Start").click();
    await showPane(page, "Console");
    await waitForState(page, NAME, "Running", 30_000);
    await waitForConsole(page, STARTER_PROMPT, BOOT_MS);
    await runInConsole(page, "cat /root/kept; echo read", /^kept\s+read$/m, COMMAND_MS);
  }, 240_000);
});
