// Keyboard layouts that a guest may have. What is sent are keys, not characters, so both the legends of the soft keyboard and the strokes
// that type a text depend on what the guest takes its keys for.

/** Keys that type characters, by their place (`KeyboardEvent.code`), row by row as on a keyboard with 105 keys. */
export const CHARACTER_KEYS = [
  ["Backquote", ..."1234567890".split("").map((digit) => `Digit${digit}`), "Minus", "Equal"],
  [..."QWERTYUIOP".split("").map((letter) => `Key${letter}`), "BracketLeft", "BracketRight", "Backslash"],
  [..."ASDFGHJKL".split("").map((letter) => `Key${letter}`), "Semicolon", "Quote"],
  ["IntlBackslash", ..."ZXCVBNM".split("").map((letter) => `Key${letter}`), "Comma", "Period", "Slash"],
] as const;

type Rows = readonly [string, string, string, string];

export interface Layout {
  /** A character for each of the keys above; a space where there is none. */
  readonly plain: Rows;
  readonly shift: Rows;
  readonly altGr: Rows;
  /** Accents that wait for a letter, as `code/level`; with Space behind they stand for themselves. */
  readonly dead: readonly string[];
}

const NONE: Rows = ["", "", "", ""];

export const LAYOUTS = {
  us: {
    plain: ["`1234567890-=", "qwertyuiop[]\\", "asdfghjkl;'", " zxcvbnm,./"],
    shift: ["~!@#$%^&*()_+", "QWERTYUIOP{}|", 'ASDFGHJKL:"', " ZXCVBNM<>?"],
    altGr: NONE,
    dead: [],
  },
  uk: {
    plain: ["`1234567890-=", "qwertyuiop[]#", "asdfghjkl;'", "\\zxcvbnm,./"],
    shift: ['¬!"£$%^&*()_+', "QWERTYUIOP{}~", "ASDFGHJKL:@", "|ZXCVBNM<>?"],
    altGr: ["    €", "", "", ""],
    dead: [],
  },
  de: {
    plain: ["^1234567890ß´", "qwertzuiopü+#", "asdfghjklöä", "<yxcvbnm,.-"],
    shift: ['°!"§$%&/()=?`', "QWERTZUIOPÜ*'", "ASDFGHJKLÖÄ", ">YXCVBNM;:_"],
    altGr: ["  ²³   {[]}\\", "@ €        ~", "", "|      µ"],
    dead: ["Backquote/plain", "Equal/plain", "Equal/shift"],
  },
  fr: {
    plain: ["²&é\"'(-è_çà)=", "azertyuiop^$*", "qsdfghjklmù", "<wxcvbn,;:!"],
    shift: [" 1234567890°+", "AZERTYUIOP¨£µ", "QSDFGHJKLM%", ">WXCVBN?./§"],
    altGr: ["  ~#{[|`\\^@]}", "  €        ¤", "", ""],
    dead: ["BracketLeft/plain", "BracketLeft/shift"],
  },
  es: {
    plain: ["º1234567890'¡", "qwertyuiop`+ç", "asdfghjklñ´", "<zxcvbnm,.-"],
    shift: ['ª!"·$%&/()=?¿', "QWERTYUIOP^*Ç", "ASDFGHJKLÑ¨", ">ZXCVBNM;:_"],
    altGr: ["\\|@#~ ¬", "  €       []}", "          {", ""],
    dead: ["BracketLeft/plain", "BracketLeft/shift", "Quote/plain", "Quote/shift"],
  },
} as const satisfies Record<string, Layout>;

export type LayoutName = keyof typeof LAYOUTS;
export const LAYOUT_NAMES = Object.keys(LAYOUTS) as LayoutName[];

/** `chosen` as it was remembered; the layout of Starter Linux and of most installers when it is none of ours. */
export const layoutName = (chosen: string): LayoutName => LAYOUT_NAMES.find((name) => name === chosen) ?? "us";

const LEVELS = ["plain", "shift", "altGr"] as const;
export type Level = (typeof LEVELS)[number];

/** The legend of a key; undefined where it types nothing. */
export function legendOf(layout: Layout, level: Level, row: number, column: number): string | undefined {
  const character = layout[level][row]?.[column];
  return character === " " ? undefined : character;
}

export interface Stroke {
  readonly code: string;
  readonly level: Level;
  /** Space has to follow. */
  readonly dead: boolean;
}

/** How each character of a layout is typed, with as few keys as possible, and without a dead key where that goes. */
export function strokesOf(layout: Layout): ReadonlyMap<string, Stroke> {
  const strokes = new Map<string, Stroke>();
  for (const level of LEVELS) {
    for (const [row, codes] of CHARACTER_KEYS.entries()) {
      for (const [column, code] of codes.entries()) {
        const character = legendOf(layout, level, row, column);
        const dead = layout.dead.includes(`${code}/${level}`);
        if (character !== undefined && strokes.get(character)?.dead !== false)
          strokes.set(character, { code, level, dead });
      }
    }
  }
  return strokes.set(" ", { code: "Space", level: "plain", dead: false });
}
