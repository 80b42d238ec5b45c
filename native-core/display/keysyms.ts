// X11 keysyms to keys of a US keyboard, for viewers that do not send scan codes (RFC 6143 7.5.4).
// Viewers that do (QEMU extended key event, as noVNC) need none of this, and work with every layout the guest is set to.

export interface KeyStroke {
  /** Set-1 make code; bit 7 stands for the E0 prefix. */
  readonly code: number;
  /** Whether the US layout needs Shift for this character; undefined for keys that are no characters. */
  readonly shift: boolean | undefined;
}

export const KEY_SHIFT_LEFT = 0x2a;
export const KEY_SHIFT_RIGHT = 0x36;
/** Keys that send sequences of their own; these are the numbers the keyboard (devices/ps2) knows them by. */
const KEY_PRINT_SCREEN = 0xb7;
const KEY_PAUSE = 0xc5;

/** QEMU's extended key events name two keys by what they send together with Alt and Ctrl. */
export const SCAN_CODE_ALIASES: Readonly<Record<number, number>> = { 0x54: KEY_PRINT_SCREEN, 0xc6: KEY_PAUSE };

/** Rows of the US keyboard by first make code: characters without and with Shift. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", " "],
];

/** Keys that are no characters, by keysym (keysymdef.h). */
const SPECIAL: Readonly<Record<number, number>> = {
  0xff08: 0x0e, // BackSpace
  0xff09: 0x0f, // Tab
  0xfe20: 0x0f, // ISO_Left_Tab
  0xff0d: 0x1c, // Return
  0xff13: KEY_PAUSE, // Pause
  0xff14: 0x46, // Scroll_Lock
  0xff15: KEY_PRINT_SCREEN, // Sys_Req
  0xff1b: 0x01, // Escape
  0xff50: 0xc7, // Home
  0xff51: 0xcb, // Left
  0xff52: 0xc8, // Up
  0xff53: 0xcd, // Right
  0xff54: 0xd0, // Down
  0xff55: 0xc9, // Page_Up
  0xff56: 0xd1, // Page_Down
  0xff57: 0xcf, // End
  0xff61: KEY_PRINT_SCREEN, // Print
  0xff63: 0xd2, // Insert
  0xff67: 0xdd, // Menu
  0xff6b: KEY_PAUSE, // Break
  0xff7f: 0x45, // Num_Lock
  0xff8d: 0x9c, // KP_Enter
  0xff95: 0x47, // KP_Home
  0xff96: 0x4b, // KP_Left
  0xff97: 0x48, // KP_Up
  0xff98: 0x4d, // KP_Right
  0xff99: 0x50, // KP_Down
  0xff9a: 0x49, // KP_Page_Up
  0xff9b: 0x51, // KP_Page_Down
  0xff9c: 0x4f, // KP_End
  0xff9d: 0x4c, // KP_Begin
  0xff9e: 0x52, // KP_Insert
  0xff9f: 0x53, // KP_Delete
  0xffaa: 0x37, // KP_Multiply
  0xffab: 0x4e, // KP_Add
  0xffad: 0x4a, // KP_Subtract
  0xffae: 0x53, // KP_Decimal
  0xffaf: 0xb5, // KP_Divide
  0xffb0: 0x52, // KP_0
  0xffb1: 0x4f,
  0xffb2: 0x50,
  0xffb3: 0x51,
  0xffb4: 0x4b,
  0xffb5: 0x4c,
  0xffb6: 0x4d,
  0xffb7: 0x47,
  0xffb8: 0x48,
  0xffb9: 0x49, // KP_9
  0xffc8: 0x57, // F11
  0xffc9: 0x58, // F12
  0xffe1: KEY_SHIFT_LEFT,
  0xffe2: KEY_SHIFT_RIGHT,
  0xffe3: 0x1d, // Control_L
  0xffe4: 0x9d, // Control_R
  0xffe5: 0x3a, // Caps_Lock
  0xffe7: 0x38, // Meta_L
  0xffe8: 0xb8, // Meta_R
  0xffe9: 0x38, // Alt_L
  0xffea: 0xb8, // Alt_R
  0xffeb: 0xdb, // Super_L
  0xffec: 0xdc, // Super_R
  0xfe03: 0xb8, // ISO_Level3_Shift
  0xffff: 0xd3, // Delete
};

const strokes = buildStrokes();

/** Undefined for characters that a US keyboard does not have. */
export function keysymToKeyStroke(keysym: number): KeyStroke | undefined {
  return strokes.get(keysym);
}

function buildStrokes(): ReadonlyMap<number, KeyStroke> {
  const map = new Map<number, KeyStroke>();
  for (const [first, plain, shifted] of ROWS) {
    for (let at = 0; at < plain.length; at++) {
      map.set(shifted.charCodeAt(at), { code: first + at, shift: true });
      map.set(plain.charCodeAt(at), { code: first + at, shift: false });
    }
  }
  for (const [keysym, code] of Object.entries(SPECIAL)) map.set(Number(keysym), { code, shift: undefined });
  for (let key = 0; key < 10; key++) map.set(0xffbe + key, { code: 0x3b + key, shift: undefined });
  return map;
}
