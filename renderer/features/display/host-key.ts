// The Host key: pressed alone it gives the keyboard back; with another key it is a command of the machine's window.
// It sits in the capture phase, so that neither the Host key nor the key pressed with it reaches the guest.
import { type Disposable, toDisposable } from "../../../native-core/common/disposable.ts";
import { IS_MAC } from "../../app/shortcuts.ts";

/** Keys that may be the Host key: those that come in pairs, and some that hardly anything uses. */
export const HOST_KEYS = [
  "ControlRight",
  "AltRight",
  "MetaRight",
  "ShiftRight",
  "MetaLeft",
  "ScrollLock",
  "Pause",
  "F12",
] as const;
export type HostKeyCode = (typeof HOST_KEYS)[number];

/** The chosen one, or the platform's usual one. */
export function hostKeyCode(chosen: string): HostKeyCode {
  return HOST_KEYS.find((code) => code === chosen) ?? (IS_MAC ? "MetaLeft" : "ControlRight");
}

/** A key by its place on the keyboard, such as `KeyF`, and by what it types. */
export type PressedKey = Pick<KeyboardEvent, "code" | "key">;

export interface HostKeyHandlers {
  /** The Host key was pressed and released by itself. */
  release(): void;
  /** Host key with another key. */
  command(key: PressedKey): void;
}

/** Follows the keys of one area. Pure logic apart from the listeners: `handle` returns whether the guest must not see the key. */
export class HostKey {
  readonly #handlers: HostKeyHandlers;
  readonly #code: string;
  #down = false;
  #used = false;

  constructor(handlers: HostKeyHandlers, code: string) {
    this.#handlers = handlers;
    this.#code = code;
  }

  handle(event: PressedKey & Pick<KeyboardEvent, "type" | "repeat">): boolean {
    if (event.code === this.#code) {
      if (event.type === "keydown") {
        if (!event.repeat) this.#used = false;
        this.#down = true;
      } else {
        if (this.#down && !this.#used) this.#handlers.release();
        this.#down = false;
      }
      return true;
    }
    if (!this.#down) return false;
    if (event.type === "keydown" && !event.repeat) {
      this.#used = true;
      this.#handlers.command(event);
    }
    return true;
  }

  /** The window lost the focus: the release of the key will never be seen. */
  reset(): void {
    this.#down = false;
  }
}

export function listenForHostKey(area: HTMLElement, code: string, handlers: HostKeyHandlers): Disposable {
  const hostKey = new HostKey(handlers, code);
  const onKey = (event: KeyboardEvent) => {
    if (!hostKey.handle(event)) return;
    event.stopPropagation();
    event.preventDefault();
  };
  const onBlur = () => hostKey.reset();
  area.addEventListener("keydown", onKey, true);
  area.addEventListener("keyup", onKey, true);
  window.addEventListener("blur", onBlur);
  return toDisposable(() => {
    area.removeEventListener("keydown", onKey, true);
    area.removeEventListener("keyup", onKey, true);
    window.removeEventListener("blur", onBlur);
  });
}
