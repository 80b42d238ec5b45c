// Linux's key codes (linux/input-event-codes.h), which virtio-input sends, by the numbers that keys have at the input boundary: set-1 make
// codes with bit 7 for the E0 prefix (ps2/scan-codes.ts).

const EXTENDED = 0x80;

/** Up to here a key's code is its make code: that is where Linux took them from. */
const LAST_ALIKE = 0x58;
/** SysRq has a make code only together with Alt, and no key has 0x55. */
const UNUSED: readonly number[] = [0x54, 0x55];

/** Keys of Japanese and Brazilian keyboards, and F13 to F24. */
const FURTHER: readonly (readonly [make: number, code: number])[] = [
  [0x59, 117], // keypad =
  [0x64, 183], // F13
  [0x65, 184],
  [0x66, 185],
  [0x67, 186],
  [0x68, 187],
  [0x69, 188],
  [0x6a, 189],
  [0x6b, 190],
  [0x6c, 191],
  [0x6d, 192],
  [0x6e, 193], // F23
  [0x70, 93], // katakana, hiragana
  [0x73, 89], // ro
  [0x76, 194], // F24
  [0x79, 92], // henkan
  [0x7b, 94], // muhenkan
  [0x7d, 124], // yen
  [0x7e, 121], // keypad comma
];

/** Keys with the prefix E0. */
const PREFIXED: readonly (readonly [make: number, code: number])[] = [
  [0x10, 165], // previous song
  [0x19, 163], // next song
  [0x1c, 96], // keypad Enter
  [0x1d, 97], // right Ctrl
  [0x20, 113], // mute
  [0x21, 140], // calculator
  [0x22, 164], // play, pause
  [0x24, 166], // stop
  [0x2e, 114], // quieter
  [0x30, 115], // louder
  [0x32, 172], // home page
  [0x35, 98], // keypad /
  [0x37, 99], // Print Screen
  [0x38, 100], // right Alt
  [0x45, 119], // Pause
  [0x47, 102], // Home
  [0x48, 103], // up
  [0x49, 104], // Page Up
  [0x4b, 105], // left
  [0x4d, 106], // right
  [0x4f, 107], // End
  [0x50, 108], // down
  [0x51, 109], // Page Down
  [0x52, 110], // Insert
  [0x53, 111], // Delete
  [0x5b, 125], // left Super
  [0x5c, 126], // right Super
  [0x5d, 127], // Menu
  [0x5e, 116], // power
  [0x5f, 142], // sleep
  [0x63, 143], // wake up
  [0x65, 217], // search
  [0x66, 156], // bookmarks
  [0x67, 173], // refresh
  [0x68, 128], // stop loading
  [0x69, 159], // forward
  [0x6a, 158], // back
  [0x6b, 157], // my computer
  [0x6c, 155], // mail
  [0x6d, 226], // media player
];

const codes = new Map<number, number>([
  ...Array.from({ length: LAST_ALIKE }, (_, at) => [at + 1, at + 1] as const).filter(([key]) => !UNUSED.includes(key)),
  ...FURTHER,
  ...PREFIXED.map(([make, code]) => [make | EXTENDED, code] as const),
]);

/** All that a keyboard may send. */
export const KEY_CODES: readonly number[] = [...codes.values()];

/** Undefined for numbers that are no key. */
export function linuxKeyCode(key: number): number | undefined {
  return codes.get(key);
}
