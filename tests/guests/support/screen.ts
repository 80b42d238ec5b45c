// The display of a running VM process, as a viewer has it: mouse and keyboard through RFB, and what is on the screen.
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { dirname } from "node:path";
import { inflateSync } from "node:zlib";
import type { VmClient } from "../../../main/supervisor/vm-client.ts";
import { waitUntil } from "../../support/wait-until.ts";

const RETURN = 0xff0d;
const LEFT = 1;
const RIGHT = 4;
const FILTER_UP = 2;
const KEY_MS = 100;

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 0xRRGGBB, row by row. */
  readonly colors: Uint32Array;
}

export class GuestScreen {
  readonly #client: VmClient;
  readonly #socket: Socket;

  private constructor(client: VmClient, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  static async open(client: VmClient, dataSocket: string): Promise<GuestScreen> {
    const socket = createConnection(dataSocket);
    // Nothing here asks for pictures, so all that the server says after the handshake can be dropped.
    for (const answer of ["rfb\n", "RFB 003.008\n", Uint8Array.of(1), Uint8Array.of(1)]) {
      socket.write(answer);
      await once(socket, "data");
    }
    socket.resume();
    return new GuestScreen(client, socket);
  }

  close(): void {
    this.#socket.destroy();
  }

  click(x: number, y: number, button: "left" | "right" = "left"): void {
    this.#pointer(x, y, 0);
    this.#pointer(x, y, button === "left" ? LEFT : RIGHT);
    this.#pointer(x, y, 0);
  }

  /** Types as fast as people do: X servers drop keys that come by the hundred. `\n` is the Return key. */
  async type(text: string): Promise<void> {
    for (const character of text) {
      await new Promise((resolve) => setTimeout(resolve, KEY_MS));
      const keysym = character === "\n" ? RETURN : character.charCodeAt(0);
      for (const down of [1, 0]) this.#socket.write(Uint8Array.of(4, down, 0, 0, 0, 0, keysym >> 8, keysym & 0xff));
    }
  }

  async picture(): Promise<Picture> {
    return decode((await this.#client.request("screenshot", { thumbnail: false })).png);
  }

  /** Waits for a picture with this property. */
  async waitFor(
    what: string,
    holds: (picture: Picture) => boolean | Promise<boolean>,
    limitMs: number,
  ): Promise<Picture> {
    let last: Picture | undefined;
    await waitUntil(
      what,
      async () => {
        last = await this.picture();
        return holds(last);
      },
      limitMs,
    );
    if (!last) throw new Error(`no picture of ${what}`);
    return last;
  }

  /** Keeps the picture for people to look at. */
  async keep(file: string): Promise<void> {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, (await this.#client.request("screenshot", { thumbnail: false })).png);
  }

  #pointer(x: number, y: number, buttons: number): void {
    this.#socket.write(Uint8Array.of(5, buttons, x >> 8, x & 0xff, y >> 8, y & 0xff));
  }
}

/** Share of the picture that has a colour, 0..1. */
export function share({ colors }: Picture, color: number): number {
  return colors.reduce((count, each) => count + (each === color ? 1 : 0), 0) / colors.length;
}

/** Reads what our own encoder (native-core/display/png.ts) writes: RGB, one IDAT chunk, each line as its difference to the one above. */
function decode(png: Uint8Array): Picture {
  const view = new DataView(png.buffer, png.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const lines = inflateSync(png.subarray(41, 41 + view.getUint32(33)));
  const colors = new Uint32Array(width * height);
  const line = new Uint8Array(width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    if (lines[at++] !== FILTER_UP) throw new Error("not a picture of our own");
    for (let i = 0; i < line.length; i++) line[i] = (line[i] ?? 0) + (lines[at++] ?? 0);
    for (let x = 0; x < width; x++) {
      const [red = 0, green = 0, blue = 0] = line.subarray(x * 3, x * 3 + 3);
      colors[y * width + x] = (red << 16) | (green << 8) | blue;
    }
  }
  return { width, height, colors };
}
