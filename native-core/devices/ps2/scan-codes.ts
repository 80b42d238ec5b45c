// Scan code set 1 (what a PC program reads, and how keys are named at the input boundary) and set 2 (what the keyboard sends).
//
// A key's number is its set-1 make code; bit 7 stands for the E0 prefix: 0x1D = left Ctrl, 0x9D = right Ctrl. That is also how RFB's
// "QEMU extended key event" names keys. The controller translates set 2 back to set 1 with a fixed table (the 8042's own).

/** Set-2 code by set-1 code 0x00..0x7F, for plain keys and for those with E0 alike; 0 where there is no such key. */
const SET2_BY_SET1: readonly number[] = [
  0x00,
  0x76,
  0x16,
  0x1e,
  0x26,
  0x25,
  0x2e,
  0x36,
  0x3d,
  0x3e,
  0x46,
  0x45,
  0x4e,
  0x55,
  0x66,
  0x0d, // 00: Esc 1..0 - = Bksp Tab
  0x15,
  0x1d,
  0x24,
  0x2d,
  0x2c,
  0x35,
  0x3c,
  0x43,
  0x44,
  0x4d,
  0x54,
  0x5b,
  0x5a,
  0x14,
  0x1c,
  0x1b, // 10: Q..P [ ] Enter Ctrl A S
  0x23,
  0x2b,
  0x34,
  0x33,
  0x3b,
  0x42,
  0x4b,
  0x4c,
  0x52,
  0x0e,
  0x12,
  0x5d,
  0x1a,
  0x22,
  0x21,
  0x2a, // 20: D..L ; ' ` Shift \ Z..V
  0x32,
  0x31,
  0x3a,
  0x41,
  0x49,
  0x4a,
  0x59,
  0x7c,
  0x11,
  0x29,
  0x58,
  0x05,
  0x06,
  0x04,
  0x0c,
  0x03, // 30: B..M , . / Shift * Alt Space Caps F1..
  0x0b,
  0x83,
  0x0a,
  0x01,
  0x09,
  0x77,
  0x7e,
  0x6c,
  0x75,
  0x7d,
  0x7b,
  0x6b,
  0x73,
  0x74,
  0x79,
  0x69, // 40: F6..F10 Num Scroll keypad 7..
  0x72,
  0x7a,
  0x70,
  0x71,
  0x7f,
  0x60,
  0x61,
  0x78,
  0x07,
  0x0f,
  0x17,
  0x1f,
  0x27,
  0x2f,
  0x37,
  0x3f, // 50: keypad 2.. SysRq, 102nd, F11 F12, E0: GUI keys
  0x47,
  0x4f,
  0x56,
  0x5e,
  0x08,
  0x10,
  0x18,
  0x20,
  0x28,
  0x30,
  0x38,
  0x40,
  0x48,
  0x50,
  0x57,
  0x6f, // 60
  0x13,
  0x19,
  0x39,
  0x51,
  0x53,
  0x5c,
  0x5f,
  0x62,
  0x63,
  0x64,
  0x65,
  0x67,
  0x68,
  0x6a,
  0x6d,
  0x6e, // 70
];

const SET1_BY_SET2 = new Uint8Array(256).map((_, set2) => {
  // Bytes the table does not know (responses: 0xFA, 0xAA, ...) pass unchanged.
  const set1 = SET2_BY_SET1.indexOf(set2);
  return set1 > 0 ? set1 : set2;
});

const EXTENDED = 0x80;
/** Keys whose codes are sequences of their own. */
export const KEY_PRINT_SCREEN = EXTENDED | 0x37;
export const KEY_PAUSE = EXTENDED | 0x45;
const BREAK = 0xf0;
const E0 = 0xe0;

/** Set-2 bytes for a key going down or up; empty when there is no such key. */
export function set2Sequence(key: number, down: boolean): readonly number[] {
  if (key === KEY_PAUSE) return down ? [0xe1, 0x14, 0x77, 0xe1, BREAK, 0x14, BREAK, 0x77] : [];
  if (key === KEY_PRINT_SCREEN) return down ? [E0, 0x12, E0, 0x7c] : [E0, BREAK, 0x7c, E0, BREAK, 0x12];
  const code = SET2_BY_SET1[key & 0x7f] ?? 0;
  if (code === 0) return [];
  const prefix = (key & EXTENDED) !== 0 ? [E0] : [];
  return down ? [...prefix, code] : [...prefix, BREAK, code];
}

/** The controller's translator: set 2 in, set 1 out. A break prefix sets bit 7 of the byte that follows it. */
export class ScanCodeTranslator {
  breakNext = false;

  /** Translated byte, or undefined for the break prefix, which is swallowed. */
  translate(byte: number): number | undefined {
    if (byte === BREAK) {
      this.breakNext = true;
      return undefined;
    }
    const translated = (SET1_BY_SET2[byte] ?? byte) | (this.breakNext ? 0x80 : 0);
    this.breakNext = false;
    return translated;
  }
}
