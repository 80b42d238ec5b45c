// The font in plane 2 until the guest loads its own: code page 437, 8x16, made from the glyphs in glyphs.ts.
import { GLYPHS } from "./glyphs.ts";

export const FONT_HEIGHT = 16;

let font: Uint8Array | undefined;

/** 256 characters of sixteen lines, the leftmost dot in bit 7. */
export function defaultFont(): Uint8Array {
  font ??= buildFont();
  return font;
}

function buildFont(): Uint8Array {
  const built = new Uint8Array(256 * FONT_HEIGHT);
  const glyph = (code: number) => built.subarray(code * FONT_HEIGHT, (code + 1) * FONT_HEIGHT);
  for (const block of GLYPHS.trim().split("\n\n")) {
    const [header = "", ...lines] = block.split("\n");
    header.split(/ +/).forEach((code, column) => {
      lines.forEach((line, y) => {
        const dots = line.slice(column * 9, column * 9 + 8);
        glyph(Number.parseInt(code, 16))[y] = Number.parseInt(dots.replaceAll("#", "1").replaceAll(".", "0"), 2);
      });
    });
  }
  for (const [code, letter, accent] of ACCENTED) glyph(code).set(accented(glyph(letter.charCodeAt(0)), letter, accent));
  for (const [code, arms] of BOXES) glyph(code).set(box(arms));
  for (const [code, lines] of BLOCKS) {
    for (let y = 0; y < FONT_HEIGHT; y++) glyph(code)[y] = lines[Math.floor((y * lines.length) / FONT_HEIGHT)] ?? 0;
  }
  for (const [code, even, odd] of SHADES) {
    for (let y = 0; y < FONT_HEIGHT; y++) glyph(code)[y] = y % 2 === 0 ? even : odd;
  }
  return built;
}

type Accent = "acute" | "grave" | "circumflex" | "diaeresis" | "tilde" | "ring" | "cedilla";

/** Lines of each accent, the last one directly above the letter's gap; the cedilla hangs below. */
const ACCENT_DOTS: Readonly<Record<Accent, readonly number[]>> = {
  acute: [0x0c, 0x18, 0x30],
  grave: [0x60, 0x30, 0x18],
  circumflex: [0x10, 0x38, 0x6c],
  diaeresis: [0x6c, 0x6c],
  tilde: [0x76, 0xdc],
  ring: [0x38, 0x6c, 0x38],
  cedilla: [0x18, 0x0c, 0x38],
};

const ACCENTED: readonly (readonly [code: number, letter: string, accent: Accent])[] = [
  [0x80, "C", "cedilla"],
  [0x81, "u", "diaeresis"],
  [0x82, "e", "acute"],
  [0x83, "a", "circumflex"],
  [0x84, "a", "diaeresis"],
  [0x85, "a", "grave"],
  [0x86, "a", "ring"],
  [0x87, "c", "cedilla"],
  [0x88, "e", "circumflex"],
  [0x89, "e", "diaeresis"],
  [0x8a, "e", "grave"],
  [0x8b, "i", "diaeresis"],
  [0x8c, "i", "circumflex"],
  [0x8d, "i", "grave"],
  [0x8e, "A", "diaeresis"],
  [0x8f, "A", "ring"],
  [0x90, "E", "acute"],
  [0x93, "o", "circumflex"],
  [0x94, "o", "diaeresis"],
  [0x95, "o", "grave"],
  [0x96, "u", "circumflex"],
  [0x97, "u", "grave"],
  [0x98, "y", "diaeresis"],
  [0x99, "O", "diaeresis"],
  [0x9a, "U", "diaeresis"],
  [0xa0, "a", "acute"],
  [0xa1, "i", "acute"],
  [0xa2, "o", "acute"],
  [0xa3, "u", "acute"],
  [0xa4, "n", "tilde"],
  [0xa5, "N", "tilde"],
];

const BASELINE = 11;
const X_HEIGHT_TOP = 5;
const CAPITAL_TOP = 2;

function accented(letter: Uint8Array, name: string, accent: Accent): Uint8Array {
  const result = letter.slice();
  const dots = ACCENT_DOTS[accent];
  if (accent === "cedilla") {
    result.set(dots, BASELINE + 1);
    return result;
  }
  const capital = name === name.toUpperCase();
  if (capital) {
    // Capitals give up their second and seventh line to make room.
    const kept = [...letter.subarray(CAPITAL_TOP, BASELINE + 1)].filter((_, line) => line !== 1 && line !== 6);
    result.fill(0, CAPITAL_TOP, BASELINE + 1);
    result.set(kept, BASELINE + 1 - kept.length);
  } else {
    // Drops the dot of the i.
    result.fill(0, 0, X_HEIGHT_TOP);
  }
  const top = capital ? CAPITAL_TOP + 2 : X_HEIGHT_TOP;
  // Over the i, whose stem is half a dot further right than other letters' middles.
  const shift = name === "i" ? 1 : 0;
  const gap = capital || dots.length > 2 ? 0 : 1;
  dots.forEach((line, index) => {
    result[Math.max(0, top - gap - dots.length + index - (capital ? 0 : 1))] = line >> shift;
  });
  return result;
}

/** Arms up, down, left, right of each box drawing character: 0 none, 1 single, 2 double. */
const BOXES: readonly (readonly [code: number, arms: string])[] = [
  [0xb3, "1100"],
  [0xb4, "1110"],
  [0xb5, "1120"],
  [0xb6, "2210"],
  [0xb7, "0210"],
  [0xb8, "0120"],
  [0xb9, "2220"],
  [0xba, "2200"],
  [0xbb, "0220"],
  [0xbc, "2020"],
  [0xbd, "2010"],
  [0xbe, "1020"],
  [0xbf, "0110"],
  [0xc0, "1001"],
  [0xc1, "1011"],
  [0xc2, "0111"],
  [0xc3, "1101"],
  [0xc4, "0011"],
  [0xc5, "1111"],
  [0xc6, "1102"],
  [0xc7, "2201"],
  [0xc8, "2002"],
  [0xc9, "0202"],
  [0xca, "2022"],
  [0xcb, "0222"],
  [0xcc, "2202"],
  [0xcd, "0022"],
  [0xce, "2222"],
  [0xcf, "1022"],
  [0xd0, "2011"],
  [0xd1, "0122"],
  [0xd2, "0211"],
  [0xd3, "2001"],
  [0xd4, "1002"],
  [0xd5, "0102"],
  [0xd6, "0201"],
  [0xd7, "2211"],
  [0xd8, "1122"],
  [0xd9, "1010"],
  [0xda, "0101"],
];

/** Lines and columns of the strokes: single in the middle, double around it. */
const H = { single: 7, upper: 6, lower: 8 } as const;
const V = { single: 3, left: 1, right: 5, width: 2 } as const;

/** Draws the arms so that double lines join into corners: every stroke ends at the stroke across that it meets. */
function box(arms: string): Uint8Array {
  const [up = 0, down = 0, left = 0, right = 0] = Array.from(arms, Number);
  const glyph = new Uint8Array(FONT_HEIGHT);
  const horizontal = (y: number, from: number, to: number) => {
    for (let x = from; x <= to; x++) glyph[y] = (glyph[y] ?? 0) | (0x80 >> x);
  };
  const vertical = (x: number, from: number, to: number) => {
    for (let y = from; y <= to; y++) glyph[y] = (glyph[y] ?? 0) | (0xc0 >> x);
  };
  // Which of two parallel strokes across is met first, coming along a stroke on the side of `near` or `far`.
  const meet = (near: number, far: number, atNear: number, atFar: number, single: number, none: number) =>
    near === 2 ? atNear : far === 2 ? atFar : near || far ? single : none;

  const rightEnd = 7;
  const bottom = FONT_HEIGHT - 1;
  const end = V.width - 1;
  if (right === 2) {
    horizontal(H.upper, left ? leftmost(up, V.right) : meet(up, down, V.right, V.left, V.single, 0), rightEnd);
    horizontal(H.lower, left ? leftmost(down, V.right) : meet(down, up, V.right, V.left, V.single, 0), rightEnd);
  } else if (right === 1) {
    const joins = up === 2 && down === 2 ? V.right : V.left;
    horizontal(H.single, left ? 0 : up === 2 || down === 2 ? joins : V.single, rightEnd);
  }
  if (left === 2) {
    const rightmost = (across: number) => (across === 2 ? V.left + end : rightEnd);
    horizontal(H.upper, 0, right ? rightmost(up) : meet(up, down, V.left + end, V.right + end, V.single + end, 7));
    horizontal(H.lower, 0, right ? rightmost(down) : meet(down, up, V.left + end, V.right + end, V.single + end, 7));
  } else if (left === 1) {
    const joins = up === 2 && down === 2 ? V.left + end : V.right + end;
    horizontal(H.single, 0, right ? rightEnd : up === 2 || down === 2 ? joins : V.single + end);
  }
  if (up === 2) {
    vertical(V.left, 0, down && left !== 2 ? bottom : meet(left, right, H.upper, H.lower, H.single, bottom));
    vertical(V.right, 0, down && right !== 2 ? bottom : meet(right, left, H.upper, H.lower, H.single, bottom));
  } else if (up === 1) {
    const joins = left === 2 && right === 2 ? H.upper : H.lower;
    vertical(V.single, 0, down ? bottom : left === 2 || right === 2 ? joins : H.single);
  }
  if (down === 2) {
    vertical(V.left, up && left !== 2 ? 0 : meet(left, right, H.lower, H.upper, H.single, 0), bottom);
    vertical(V.right, up && right !== 2 ? 0 : meet(right, left, H.lower, H.upper, H.single, 0), bottom);
  } else if (down === 1) {
    const joins = left === 2 && right === 2 ? H.lower : H.upper;
    vertical(V.single, up ? 0 : left === 2 || right === 2 ? joins : H.single, bottom);
  }
  return glyph;
}

function leftmost(across: number, joint: number): number {
  return across === 2 ? joint : 0;
}

const BLOCKS: readonly (readonly [code: number, lines: readonly number[]])[] = [
  [0xdb, [0xff]],
  [0xdc, [0x00, 0xff]],
  [0xdd, [0xf0]],
  [0xde, [0x0f]],
  [0xdf, [0xff, 0x00]],
];

const SHADES: readonly (readonly [code: number, even: number, odd: number])[] = [
  [0xb0, 0x22, 0x88],
  [0xb1, 0x55, 0xaa],
  [0xb2, 0xdd, 0x77],
];
