// The end of the app: machines that run are asked about, then they are saved or shut down hard, and the services close in order.
import type { MessageBoxOptions } from "electron";
import type { StopAll } from "../services/app.ts";
import { countText, fill, type Texts } from "./texts.ts";

/** A list of names that is longer than this is not read. */
const NAMES_SHOWN = 8;
const ANSWERS: readonly (StopAll | null)[] = ["save", "power-off", null];

/** The question about machines that run; `answerOf` gives its answers their meaning. */
export function quitQuestion(names: readonly string[], texts: Texts): MessageBoxOptions {
  const more = names.length > NAMES_SHOWN ? ["…"] : [];
  return {
    type: "question",
    title: texts.quit,
    message: countText(texts, names.length),
    detail: fill(texts.quitDetail, { names: [...names.slice(0, NAMES_SHOWN), ...more].join("\n") }),
    buttons: [texts.saveAndQuit, texts.powerOffAndQuit, texts.cancel],
    defaultId: 0,
    cancelId: ANSWERS.indexOf(null),
    noLink: true,
  };
}

/** Null: the app goes on. */
export const answerOf = (button: number): StopAll | null => ANSWERS[button] ?? null;

interface Parts {
  /** Names of the machines that run. */
  running(): readonly string[];
  /** Asks about them; null when the app is to go on. */
  ask(names: readonly string[]): Promise<StopAll | null>;
  /** Stops the machines and closes everything. */
  close(mode: StopAll): Promise<void>;
  /** Quits, this time for good. */
  quit(): void;
}

export class Quitting {
  readonly #parts: Parts;
  #state: "open" | "asking" | "closing" | "closed" = "open";

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Electron is about to quit. Whether it may at once; otherwise it is told to quit again when everything is closed. */
  request(): boolean {
    if (this.#state === "closed") return true;
    if (this.#state === "open") void this.#ask();
    return false;
  }

  /** Without a question: the session ends, or the command line said so. */
  async end(mode: StopAll): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    try {
      await this.#parts.close(mode);
    } finally {
      this.#state = "closed";
      this.#parts.quit();
    }
  }

  async #ask(): Promise<void> {
    const names = this.#parts.running();
    if (names.length === 0) return this.end("save");
    this.#state = "asking";
    const mode = await this.#parts.ask(names).catch(() => null);
    // The session may have ended meanwhile.
    if (this.#state !== "asking") return;
    this.#state = "open";
    if (mode !== null) await this.end(mode);
  }
}
