// Windows whose page crashed or hangs. Machines live in processes of their own and don't notice; the page is loaded again and finds them
// by itself. A page that keeps failing is not loaded for ever.
import { app, type BrowserWindow, dialog } from "electron";
import { log } from "../services/log.ts";
import type { Texts } from "./texts.ts";

const RELOADS = 3;
const WITHIN_MS = 60_000;

/** How often a page may be loaded again without asking. */
export class ReloadBudget {
  #atMs: number[] = [];

  /** Whether there is one left at this time. */
  take(nowMs: number): boolean {
    this.#atMs = this.#atMs.filter((atMs) => nowMs - atMs < WITHIN_MS);
    if (this.#atMs.length >= RELOADS) return false;
    this.#atMs.push(nowMs);
    return true;
  }
}

export function recoverWindow(window: BrowserWindow, texts: () => Texts): void {
  const { webContents: contents } = window;
  const budget = new ReloadBudget();
  let asking = false;

  const ask = async (message: string, buttons: string[]): Promise<number> => {
    asking = true;
    const options = {
      type: "warning" as const,
      message,
      detail: texts().machinesGoOn,
      buttons,
      defaultId: 0,
      noLink: true,
    };
    const { response } = await dialog.showMessageBox(options).finally(() => (asking = false));
    return response;
  };

  const askFailed = async () => {
    const answer = await ask(texts().pageFailed, [texts().reload, texts().quit]);
    if (answer !== 0) app.quit();
    else if (!window.isDestroyed()) contents.reload();
  };
  const askHanging = async () => {
    if ((await ask(texts().pageHangs, [texts().wait, texts().reload])) === 0 || window.isDestroyed()) return;
    // A page that hangs does not hear of being loaded again.
    contents.forcefullyCrashRenderer();
    contents.reload();
  };
  contents.on("render-process-gone", (_, { reason, exitCode }) => {
    if (reason === "clean-exit" || window.isDestroyed()) return;
    log.error({ reason, exitCode }, "a window's page ended");
    if (budget.take(Date.now())) contents.reload();
    else if (!asking) void askFailed();
  });
  window.on("unresponsive", () => {
    log.warn("a window's page does not answer");
    if (!asking) void askHanging();
  });
}

/** Chromium starts its own helpers again; that one failed is worth a line. */
export function logHelperCrashes(): void {
  app.on("child-process-gone", (_, { type, name, reason, exitCode }) => {
    if (reason !== "clean-exit") log.warn({ type, name, reason, exitCode }, "a helper process ended");
  });
}
