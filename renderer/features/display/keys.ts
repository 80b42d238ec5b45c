// Keys that are sent to the guest rather than pressed: combinations that the host keeps for itself, single keys of the soft keyboard,
// and text that is typed stroke by stroke. Keysyms are X11's (keysymdef.h), codes are those of KeyboardEvent.
import type RFB from "@novnc/novnc";
import { type Layout, strokesOf } from "./layouts.ts";

export interface Key {
  readonly keysym: number;
  readonly code: string;
}

export const CONTROL: Key = { keysym: 0xffe3, code: "ControlLeft" };
export const ALT: Key = { keysym: 0xffe9, code: "AltLeft" };
export const SHIFT: Key = { keysym: 0xffe1, code: "ShiftLeft" };
export const ALT_GR: Key = { keysym: 0xfe03, code: "AltRight" };
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

const ENTER: Key = { keysym: 0xff0d, code: "Enter" };
const TAB: Key = { keysym: 0xff09, code: "Tab" };
const SPACE: Key = { keysym: 0x20, code: "Space" };

/** Of a character (keysymdef.h: Latin-1 as it is, everything else by its code point with a bit on top). */
export function keysymOf(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x100 ? point : 0x0100_0000 + point;
}

/** The keys that type `character`, one set after the other; undefined when the layout has none for it. */
function keysFor(character: string, strokes: ReturnType<typeof strokesOf>): (readonly Key[])[] | undefined {
  if (character === "\n") return [[ENTER]];
  if (character === "\t") return [[TAB]];
  const stroke = strokes.get(character);
  if (!stroke) return undefined;
  const key = { keysym: keysymOf(character), code: stroke.code };
  const modifier = { plain: [], shift: [SHIFT], altGr: [ALT_GR] }[stroke.level];
  return [[...modifier, key], ...(stroke.dead ? [[SPACE]] : [])];
}

/**
 * How long a key is down, and how long until the next one. A guest takes keys from a queue (256 bytes behind the PS/2 controller, 64 events
 * for each reader of Linux's input devices) which a busy one empties late; what does not fit is lost. At 50 keys a second it may be half a
 * second late, and no guest takes a key that is up again at once for a bounce.
 */
const DOWN_MS = 8;
const PAUSE_MS = 12;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Types text with the keys of the guest's layout; yields how many characters it has no key for. `onProgress` gets the share done. */
export async function typeText(
  rfb: RFB,
  text: string,
  layout: Layout,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<number> {
  const strokes = strokesOf(layout);
  const characters = Array.from(text.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
  let skipped = 0;
  for (const [index, character] of characters.entries()) {
    if (signal.aborted) break;
    const typed = keysFor(character, strokes);
    if (typed === undefined) skipped++;
    for (const keys of typed ?? []) {
      for (const { keysym, code } of keys) rfb.sendKey(keysym, code, true);
      await delay(DOWN_MS);
      for (const { keysym, code } of keys.toReversed()) rfb.sendKey(keysym, code, false);
      await delay(PAUSE_MS);
    }
    onProgress((index + 1) / characters.length);
  }
  return skipped;
}
