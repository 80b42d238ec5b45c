// An RFB viewer for tests: speaks the protocol over an in-memory channel and keeps the picture it was sent.
// Pixels of ZRLE are decoded by noVNC's own decoder, so that the server is proved against the viewer the app uses.

import { constants, deflateRawSync } from "node:zlib";
import type { DisplayCursor, DisplaySize, DisplaySource, Rect } from "../../../native-core/devices/display-source.ts";
import type { ByteChannel } from "../../../native-core/display/byte-channel.ts";
import type { InputSink, PointerState } from "../../../native-core/display/input-sink.ts";
import { RfbServer } from "../../../native-core/display/rfb-server.ts";

const ZRLE_DECODER = "../../../node_modules/@novnc/novnc/core/decoders/zrle.js";

interface Decoder {
  decodeRect(
    x: number,
    y: number,
    width: number,
    height: number,
    socket: unknown,
    display: unknown,
    depth: number,
  ): boolean;
}

const deflateBlock = async (data: Uint8Array): Promise<Uint8Array> =>
  deflateRawSync(data, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });

/** A picture the test paints on. */
export class TestSource implements DisplaySource {
  width: number;
  height: number;
  pixels: Uint32Array;
  renders = 0;
  cursor: DisplayCursor | undefined;
  #damage: Rect[] = [];

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height).fill(0xff00_0000);
  }

  size(): DisplaySize {
    return { width: this.width, height: this.height };
  }

  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height).fill(0xff00_0000);
    this.#damage = [];
  }

  paint(rect: Rect, color: (x: number, y: number) => number): void {
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      for (let x = rect.x; x < rect.x + rect.width; x++) {
        this.pixels[y * this.width + x] = (0xff00_0000 | color(x, y)) >>> 0;
      }
    }
    this.#damage.push(rect);
  }

  scrollUp(lines: number): void {
    this.pixels.copyWithin(0, lines * this.width);
    this.pixels.fill(0xff00_0000, (this.height - lines) * this.width);
    this.#damage = [{ x: 0, y: 0, width: this.width, height: this.height }];
  }

  render(pixels: Uint32Array, everything: boolean): Rect[] {
    this.renders++;
    const damage = everything ? [{ x: 0, y: 0, width: this.width, height: this.height }] : this.#damage;
    if (damage.length > 0) pixels.set(this.pixels);
    this.#damage = [];
    return damage;
  }
}

class TestChannel implements ByteChannel {
  onData: ((bytes: Uint8Array) => void) | undefined;
  onClose: (() => void) | undefined;
  bufferedBytes = 0;
  closed = false;
  readonly sent: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }

  writeAll(pieces: readonly Uint8Array[]): void {
    this.sent.push(...pieces);
  }

  close(): void {
    this.closed = true;
  }
}

/** A server with a source, a clock that the test turns, and a record of the input it passed on. */
export class ServerBench {
  readonly source: TestSource;
  readonly keys: [number, boolean][] = [];
  readonly pointer: PointerState[] = [];
  readonly refused: string[] = [];
  readonly resized: [number, number][] = [];
  leds = 0;
  /** How often something was deflated. */
  compressions = 0;
  readonly server: RfbServer;
  #scheduled: { callback: () => void; delayMs: number }[] = [];

  constructor(width = 200, height = 100, compressed = true, resizable = false) {
    this.source = new TestSource(width, height);
    const input: InputSink = {
      key: (code, down) => this.keys.push([code, down]),
      pointer: (state) => this.pointer.push(state),
      ...(resizable && { resize: (...size: [number, number]) => void this.resized.push(size) }),
    };
    this.server = new RfbServer({
      source: this.source,
      input,
      name: "Machine",
      leds: () => this.leds,
      schedule: (callback, delayMs) => {
        const entry = { callback, delayMs };
        this.#scheduled.push(entry);
        return () => {
          this.#scheduled = this.#scheduled.filter((other) => other !== entry);
        };
      },
      onRefused: (reason) => this.refused.push(reason),
      ...(compressed && {
        deflate: (data: Uint8Array) => {
          this.compressions++;
          return deflateBlock(data);
        },
      }),
    });
  }

  get nextLookMs(): number | undefined {
    return this.#scheduled[0]?.delayMs;
  }

  /** Lets the scheduled look happen, and what it started come to an end. */
  async tick(): Promise<void> {
    for (const { callback } of this.#scheduled.splice(0)) callback();
    await new Promise((resolve) => setImmediate(resolve));
  }

  connect(): TestClient {
    const client = new TestClient();
    this.server.attach(client.channel);
    return client;
  }
}

export interface ReceivedRect extends Rect {
  readonly encoding: number;
}

export class TestClient {
  readonly channel = new TestChannel();
  width = 0;
  height = 0;
  name = "";
  pixels = new Uint32Array(0);
  bytesPerPixel = 4;
  /** Rectangles of the updates received, in order. */
  readonly rects: ReceivedRect[] = [];
  readonly otherMessages: number[] = [];
  fences = 0;
  /** The pointer that this viewer shall draw: size, hot spot, and what describes it. Undefined: none was ever sent. */
  cursor: { width: number; height: number; hotX: number; hotY: number; body: Uint8Array } | undefined;
  leds = -1;
  #buffer = new Uint8Array(0);
  #zrle: Decoder | undefined;

  send(...values: (number | readonly number[])[]): void {
    this.channel.onData?.(Uint8Array.from(values.flat()));
  }

  text(text: string): void {
    this.channel.onData?.(new TextEncoder().encode(text));
  }

  /** Handshake of RFB 3.8. */
  handshake(): void {
    this.#pull();
    this.#take(12);
    this.text("RFB 003.008\n");
    this.#pull();
    this.#take(2);
    this.send(1);
    this.#pull();
    this.#take(4);
    this.send(1);
    this.#pull();
    const init = this.#view(24);
    this.width = init.getUint16(0);
    this.height = init.getUint16(2);
    const length = init.getUint32(20);
    this.#take(24);
    this.name = new TextDecoder().decode(this.#take(length));
    this.pixels = new Uint32Array(this.width * this.height);
  }

  setEncodings(...encodings: number[]): void {
    const bytes = new Uint8Array(4 + 4 * encodings.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = 2;
    view.setUint16(2, encodings.length);
    encodings.forEach((encoding, at) => view.setInt32(4 + 4 * at, encoding));
    this.channel.onData?.(bytes);
  }

  requestUpdate(incremental = true): void {
    const size = [this.width >> 8, this.width & 0xff, this.height >> 8, this.height & 0xff];
    this.send(3, incremental ? 1 : 0, 0, 0, 0, 0, size);
  }

  /** Reads everything that has arrived. */
  async receive(): Promise<void> {
    this.#zrle ??= new ((await import(ZRLE_DECODER)) as { default: new () => Decoder }).default();
    this.#pull();
    while (this.#buffer.length > 0) {
      const type = this.#buffer[0];
      if (type === 0) this.#update(this.#zrle);
      else if (type === 248) {
        const length = this.#buffer[8] ?? 0;
        this.#take(9 + length);
        this.fences++;
      } else if (type === 1) this.#take(6 + 256 * 6);
      else this.#take(1);
      if (type !== undefined && type !== 0) this.otherMessages.push(type);
    }
  }

  #update(zrle: Decoder): void {
    const count = this.#view(4).getUint16(2);
    this.#take(4);
    for (let index = 0; index < count; index++) {
      const header = this.#view(12);
      const rect: ReceivedRect = {
        x: header.getUint16(0),
        y: header.getUint16(2),
        width: header.getUint16(4),
        height: header.getUint16(6),
        encoding: header.getInt32(8),
      };
      this.#take(12);
      this.rects.push(rect);
      this.#rect(rect, zrle);
    }
  }

  #rect(rect: ReceivedRect, zrle: Decoder): void {
    const { x, y, width, height } = rect;
    switch (rect.encoding) {
      case 0: {
        const bytes = this.#take(width * height * this.bytesPerPixel);
        for (let at = 0; at < width * height; at++) {
          let value = 0;
          for (let i = this.bytesPerPixel - 1; i >= 0; i--)
            value = value * 256 + (bytes[at * this.bytesPerPixel + i] ?? 0);
          // What a format of 24 bits in 32 leaves over means nothing.
          this.pixels[(y + Math.floor(at / width)) * this.width + x + (at % width)] = value % 2 ** 24;
        }
        return;
      }
      case 1: {
        const source = this.#view(4);
        const [fromX, fromY] = [source.getUint16(0), source.getUint16(2)];
        this.#take(4);
        const before = this.pixels.slice();
        for (let line = 0; line < height; line++) {
          const from = (fromY + line) * this.width + fromX;
          this.pixels.set(before.subarray(from, from + width), (y + line) * this.width + x);
        }
        return;
      }
      case 16: {
        const socket = {
          rQwait: () => false,
          rQshift32: () => new DataView(this.#take(4).slice().buffer).getUint32(0),
          rQshiftBytes: (length: number) => this.#take(length).slice(),
        };
        const display = {
          blitImage: (left: number, top: number, w: number, h: number, data: Uint8Array) => {
            for (let at = 0; at < w * h; at++) {
              this.#put(left + (at % w), top + Math.floor(at / w), data.subarray(at * 4, at * 4 + 3));
            }
          },
          fillRect: (left: number, top: number, w: number, h: number, color: ArrayLike<number>) => {
            for (let at = 0; at < w * h; at++) this.#put(left + (at % w), top + Math.floor(at / w), color);
          },
        };
        zrle.decodeRect(x, y, width, height, socket, display, 24);
        return;
      }
      case -308: {
        const screens = this.#buffer[0] ?? 0;
        this.#take(4 + 16 * screens);
        this.#resize(width, height);
        return;
      }
      case -239:
      case 0x574d_5664: {
        const vmware = rect.encoding !== -239;
        const bytes = vmware ? 2 + width * height * 4 : (width * this.bytesPerPixel + Math.ceil(width / 8)) * height;
        this.cursor = { width, height, hotX: x, hotY: y, body: this.#take(bytes) };
        return;
      }
      case -223:
        this.#resize(width, height);
        return;
      case -261:
        this.leds = this.#take(1)[0] ?? -1;
        return;
      case -307: {
        const length = this.#view(4).getUint32(0);
        this.#take(4);
        this.name = new TextDecoder().decode(this.#take(length));
      }
    }
  }

  #put(x: number, y: number, color: ArrayLike<number>): void {
    this.pixels[y * this.width + x] = (color[0] ?? 0) | ((color[1] ?? 0) << 8) | ((color[2] ?? 0) << 16);
  }

  #resize(width: number, height: number): void {
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height);
  }

  #pull(): void {
    this.#buffer = new Uint8Array(Buffer.concat([this.#buffer, ...this.channel.sent.splice(0)]));
  }

  #view(length: number): DataView {
    if (this.#buffer.length < length) throw new Error("the server sent too little");
    return new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.byteLength);
  }

  #take(length: number): Uint8Array {
    if (this.#buffer.length < length) throw new Error("the server sent too little");
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }
}

/** The picture as a viewer in the screen's own format has it: no alpha. */
export function visible(pixels: Uint32Array): Uint32Array {
  return pixels.map((pixel) => pixel & 0xff_ffff);
}
