// An 80x25 text screen with enough of a terminal to look like one: lines, scrolling, backspace; colours are skipped.
import { defaultFont, FONT_HEIGHT } from "../../../native-core/devices/vga/font/default-font.ts";

const COLUMNS = 80;
const ROWS = 25;
const CELL_WIDTH = 8;
export const WIDTH = COLUMNS * CELL_WIDTH;
export const HEIGHT = ROWS * FONT_HEIGHT;
/** R, G, B, A bytes, little endian. */
const INK = 0xffcfcfcf;
const PAPER = 0xff000000;

const ESCAPE_SEQUENCE = new RegExp(String.raw`${String.fromCharCode(0x1b)}\[[\d;?]*[A-Za-z]`, "g");

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array;
}

export class TextScreen {
  /** Increments with every change. */
  generation = 1;
  readonly #cells = new Uint8Array(COLUMNS * ROWS).fill(32);
  #row = 0;
  #column = 0;

  write(text: string): void {
    for (const character of text.replaceAll(ESCAPE_SEQUENCE, "")) {
      if (character === "\n") this.#newLine();
      else if (character === "\r") this.#column = 0;
      else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
      else this.#put(character.charCodeAt(0));
    }
    this.generation++;
  }

  clear(): void {
    this.#cells.fill(32);
    this.#row = 0;
    this.#column = 0;
    this.generation++;
  }

  #put(code: number): void {
    if (this.#column === COLUMNS) {
      this.#column = 0;
      this.#newLine();
    }
    this.#cells[this.#row * COLUMNS + this.#column++] = code < 128 ? code : 63;
  }

  #newLine(): void {
    if (this.#row < ROWS - 1) {
      this.#row++;
      return;
    }
    this.#cells.copyWithin(0, COLUMNS);
    this.#cells.fill(32, (ROWS - 1) * COLUMNS);
  }

  picture(): Picture {
    const font = defaultFont();
    const pixels = new Uint32Array(WIDTH * HEIGHT);
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const row = Math.floor(y / FONT_HEIGHT);
        const column = x >> 3;
        const code = this.#cells[row * COLUMNS + column] ?? 32;
        const dots = font[code * FONT_HEIGHT + (y % FONT_HEIGHT)] ?? 0;
        const cursor = row === this.#row && column === this.#column && y % FONT_HEIGHT >= FONT_HEIGHT - 2;
        pixels[y * WIDTH + x] = cursor || (dots >> (7 - (x & 7))) & 1 ? INK : PAPER;
      }
    }
    return { width: WIDTH, height: HEIGHT, pixels };
  }

  thumbnail(): Picture {
    const full = this.picture().pixels;
    const width = WIDTH / 2;
    const height = HEIGHT / 2;
    const pixels = Uint32Array.from({ length: width * height }, (_, at) => {
      const [x, y] = [(at % width) * 2, Math.floor(at / width) * 2];
      return full[y * WIDTH + x] ?? PAPER;
    });
    return { width, height, pixels };
  }
}
