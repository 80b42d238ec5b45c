// Keys that are sent to the guest rather than pressed: combinations that the host keeps for itself, single keys of the soft keyboard,
// and text that is typed stroke by stroke. Keysyms are X11's (keysymdef.h), codes are those of KeyboardEvent.
import type RFB from "@novnc/novnc";

export interface Key {
  readonly keysym: number;
  readonly code: string;
}

export const CONTROL: Key = { keysym: 0xffe3, code: "ControlLeft" };
export const ALT: Key = { keysym: 0xffe9, code: "AltLeft" };
export const SHIFT: Key = { keysym: 0xffe1, code: "ShiftLeft" };
export const SUPER: Key = { keysym: 0xffeb, code: "MetaLeft" };

const functionKey = (number: number): Key => ({ keysym: 0xffbd + number, code: `F${number}` });

/** Combinations by the name they are listed with. */
export const COMBINATIONS: readonly (readonly [name: string, keys: readonly Key[]])[] = [
  ["Ctrl+Alt+Del", [CONTROL, ALT, { keysym: 0xffff, code: "Delete" }]],
  ["Ctrl+Alt+Backspace", [CONTROL, ALT, { keysym: 0xff08, code: "Backspace" }]],
  ["Ctrl+C", [CONTROL, { keysym: 0x63, code: "KeyC" }]],
  ["Alt+Tab", [ALT, { keysym: 0xff09, code: "Tab" }]],
  ["Alt+F4", [ALT, functionKey(4)]],
  ["Super", [SUPER]],
  ["Esc", [{ keysym: 0xff1b, code: "Escape" }]],
  ["Print Screen", [{ keysym: 0xff61, code: "PrintScreen" }]],
  ...[1, 2, 3, 4, 5, 6, 7].map((number) => [`Ctrl+Alt+F${number}`, [CONTROL, ALT, functionKey(number)]] as const),
];

/** All down in order, all up in reverse. */
export function sendKeys(rfb: RFB, keys: readonly Key[]): void {
  for (const { keysym, code } of keys) rfb.sendKey(keysym, code, true);
  for (const { keysym, code } of keys.toReversed()) rfb.sendKey(keysym, code, false);
}

const ENTER = 0xff0d;
const TAB = 0xff09;

/** The keysym of a character; undefined for those that no key of the guest's US layout types. */
export function keysymOf(character: string): number | undefined {
  if (character === "\n") return ENTER;
  if (character === "\t") return TAB;
  const point = character.codePointAt(0) ?? 0;
  return point >= 0x20 && point < 0x7f ? point : undefined;
}

/** Guests poll their keyboard and have short queues: faster than this loses keys. */
const STROKE_MS = 12;

/** Types text; yields how many characters there is no key for. `onProgress` gets the share done. */
export async function typeText(
  rfb: RFB,
  text: string,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<number> {
  const characters = Array.from(text.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
  let skipped = 0;
  for (const [index, character] of characters.entries()) {
    if (signal.aborted) break;
    const keysym = keysymOf(character);
    if (keysym === undefined) {
      skipped++;
      continue;
    }
    // Without a code the server finds the key, and Shift where the character needs it.
    rfb.sendKey(keysym, "", true);
    rfb.sendKey(keysym, "", false);
    onProgress((index + 1) / characters.length);
    await new Promise((resolve) => setTimeout(resolve, STROKE_MS));
  }
  return skipped;
}
