// One viewer: its handshake, its messages, and the updates it is owed. It never waits for others, nor the machine for it: while the
// channel is full or the viewer has not answered, changes only mark squares of its grid, and the next update sends their last state.

import { DirtyGrid } from "../devices/dirty-grid.ts";
import type { CursorShape, DisplayCursor, Rect } from "../devices/display-source.ts";
import type { ByteChannel } from "./byte-channel.ts";
import { type ClientMessage, readMessage } from "./client-messages.ts";
import { cursorArea, isSameCursor, readWithCursor } from "./cursor.ts";
import { cursorEncoding, cursorRect, isSendable } from "./encodings/cursor-shape.ts";
import { type DeflateBlock, ENCODING, type RectEncoder } from "./encodings/encoding.ts";
import { filmEncoder } from "./encodings/film.ts";
import { encodeRaw } from "./encodings/raw.ts";
import { Handshake, serverInit } from "./handshake.ts";
import { type InputSink, POINTER_LEFT, POINTER_MIDDLE, POINTER_RIGHT } from "./input-sink.ts";
import { ViewerKeyboard } from "./keyboard.ts";
import { MessageReader } from "./message-reader.ts";
import { type PixelFormat, readPixelFormat, SCREEN_FORMAT } from "./pixel-format.ts";
import type { Screen, ScreenChange } from "./screen.ts";
import type { Scroll } from "./scroll-detector.ts";
import {
  colorMap,
  copySource,
  endOfContinuousUpdates,
  fenceReply,
  fenceRequest,
  isFenceRequest,
  nameBytes,
  rectHeader,
  singleScreen,
  updateHeader,
} from "./server-messages.ts";
import { ViewerPointer } from "./viewer-pointer.ts";

/** More than this waiting in the channel, and the viewer gets nothing new. */
const MAX_BUFFERED_BYTES = 1 << 20;
/** Updates on their way that a viewer has not confirmed, for viewers that can. */
const MAX_UNCONFIRMED = 2;
/** Largest rectangle encoded in one piece: 4 bytes a pixel bound the memory a viewer can take. */
const MAX_RECT_PIXELS = 1 << 18;
/** What ExtendedDesktopSize says about a viewer's own request: not allowed, or handed on to the guest. */
const RESIZE_BY_CLIENT = 1;
const RESIZE_PROHIBITED = 1;
const RESIZE_FORWARDED = 4;

/** RFB button bits; 8 and 16 are the wheel, up and down. */
const BUTTON_BITS: readonly (readonly [rfb: number, button: number])[] = [
  [1, POINTER_LEFT],
  [2, POINTER_MIDDLE],
  [4, POINTER_RIGHT],
];
const WHEEL_UP = 8;
const WHEEL_DOWN = 16;

const rawEncoder: RectEncoder = (...rect) => Promise.resolve(encodeRaw(...rect));

export interface ViewerParts {
  readonly channel: ByteChannel;
  readonly screen: Screen;
  readonly input: InputSink;
  readonly deflate: DeflateBlock | undefined;
  readonly name: string;
  readonly leds: () => number;
  /** Brings the screen up to date, for all viewers. */
  refresh(): void;
  /** The viewer wants something: the server should look for changes. */
  wanted(): void;
  /** The viewer is gone; `reason` when it was sent away. */
  gone(reason: string | undefined): void;
}

export class Viewer {
  readonly #parts: ViewerParts;
  readonly #reader = new MessageReader();
  readonly #handshake: Handshake;
  readonly #keyboard: ViewerKeyboard;
  readonly #dirty = new DirtyGrid();
  #open = true;
  #ready = false;
  #width = 0;
  #height = 0;
  #format: PixelFormat = SCREEN_FORMAT;
  #encodings: ReadonlySet<number> = new Set();
  #encode: RectEncoder = rawEncoder;
  readonly #zrle: RectEncoder | undefined;
  /** Rectangles without pixels to send with the next update. */
  #pendingPseudo: Uint8Array[] = [];
  #pendingScroll: Scroll | undefined;
  #requested = false;
  #continuous = false;
  #encoding = false;
  #unconfirmed = 0;
  #sentLeds = -1;
  #pointer: { x: number; y: number; buttons: number } | undefined;
  readonly #follower = new ViewerPointer();
  /** The pointer that the viewer draws himself, as far as he was told. */
  #sentShape: CursorShape | undefined;
  /** The pointer in the picture that the viewer has. */
  #drawn: DisplayCursor | undefined;

  constructor(parts: ViewerParts) {
    this.#parts = parts;
    this.#zrle = parts.deflate && filmEncoder(parts.deflate);
    this.#keyboard = new ViewerKeyboard(parts.input);
    parts.channel.onData = (bytes) => this.#receive(bytes);
    parts.channel.onClose = () => this.#leave(undefined);
    this.#handshake = new Handshake(
      (bytes) => parts.channel.write(bytes),
      () => this.#initialize(),
    );
  }

  /** Sends the viewer away. */
  close(): void {
    this.#leave("closed by the server");
  }

  /** Whether an update could be sent now, if there were anything to say. */
  get wantsUpdate(): boolean {
    return (
      this.#ready &&
      !this.#encoding &&
      (this.#requested || this.#continuous) &&
      this.#unconfirmed < MAX_UNCONFIRMED &&
      !this.congested
    );
  }

  /** Its channel is full. */
  get congested(): boolean {
    return this.#parts.channel.bufferedBytes > MAX_BUFFERED_BYTES;
  }

  /** Notes what changed in the picture. */
  note(change: ScreenChange): void {
    if (!this.#ready) return;
    if (change.resized) {
      this.#resize();
      return;
    }
    const { scroll } = change;
    if (scroll) {
      // Copying is only right if the viewer has what is copied, and nothing else was moved since.
      const source = [Math.min(scroll.from, scroll.top), Math.max(scroll.from, scroll.top) + scroll.height] as const;
      const copyable =
        this.#encodings.has(ENCODING.COPY_RECT) && !this.#pendingScroll && !this.#dirty.touches(...source);
      if (copyable && source[1] <= this.#height && this.#parts.screen.width === this.#width) {
        this.#pendingScroll = scroll;
        // A pointer in the viewer's picture is copied too.
        this.#redrawCursor(this.#drawn);
        this.#redrawCursor(this.#drawn, scroll.top - scroll.from);
      } else {
        this.#dirty.add({ x: 0, y: scroll.top, width: this.#width, height: scroll.height });
      }
    }
    for (const rect of change.damage) this.#dirty.add(rect);
  }

  /** Sends what the viewer has not seen, if it wants it and there is anything. */
  async flush(): Promise<void> {
    if (!this.wantsUpdate) return;
    const leds = this.#parts.leds();
    if (this.#encodings.has(ENCODING.QEMU_LED_STATE) && leds !== this.#sentLeds) {
      this.#sentLeds = leds;
      this.#pendingPseudo.push(
        concat([rectHeader({ x: 0, y: 0, width: 0, height: 0 }, ENCODING.QEMU_LED_STATE), Uint8Array.of(leds)]),
      );
    }
    this.#placeCursor();
    if (this.#pendingPseudo.length === 0 && !this.#pendingScroll && this.#dirty.isEmpty) return;

    const parts = this.#pendingPseudo;
    this.#pendingPseudo = [];
    let rects = parts.length;
    if (this.#pendingScroll) {
      const { top, from, height } = this.#pendingScroll;
      this.#pendingScroll = undefined;
      parts.push(rectHeader({ x: 0, y: top, width: this.#width, height }, ENCODING.COPY_RECT), copySource(0, from));
      rects++;
    }
    const areas = this.#dirty.take(MAX_RECT_PIXELS);
    rects += areas.length;
    this.#requested = false;
    this.#encoding = true;
    // All pixels are read here and now; what is awaited is only their compression.
    const { screen } = this.#parts;
    const pieces = readWithCursor(screen, this.#drawn, () =>
      areas.map((area) => this.#encode(screen, area, this.#format)),
    );
    try {
      const encoded = await Promise.all(pieces);
      encoded.forEach(({ encoding, body }, index) => {
        parts.push(rectHeader(areas[index] as Rect, encoding), body);
      });
    } catch (error) {
      this.#leave(`encoding failed: ${String(error)}`);
      return;
    }
    this.#encoding = false;
    if (!this.#open) return;
    const { channel } = this.#parts;
    channel.writeAll([updateHeader(rects), ...parts]);
    if (this.#encodings.has(ENCODING.FENCE)) {
      channel.write(fenceRequest());
      this.#unconfirmed++;
    }
    this.#parts.wanted();
  }

  /** Leaves the guest's pointer to the viewer as long as his own is at its place, or has it drawn into the picture. */
  #placeCursor(): void {
    const { cursor } = this.#parts.screen;
    const follows = this.#follower.follows(cursor);
    const shape = follows && cursor && isSendable(cursor.shape) ? cursor.shape : undefined;
    const encoding = cursorEncoding(this.#encodings);
    if (encoding !== undefined && shape !== this.#sentShape) {
      this.#pendingPseudo.push(concat(cursorRect(shape, encoding, this.#format)));
    }
    this.#sentShape = encoding === undefined ? undefined : shape;
    const drawn = this.#sentShape ? undefined : cursor;
    if (isSameCursor(drawn, this.#drawn)) return;
    this.#redrawCursor(this.#drawn);
    this.#redrawCursor(drawn);
    this.#drawn = drawn;
  }

  #redrawCursor(cursor: DisplayCursor | undefined, down = 0): void {
    const area = cursor && cursorArea(cursor, this.#parts.screen, down);
    if (area) this.#dirty.add(area);
  }

  #initialize(): Uint8Array {
    const { screen, name, refresh } = this.#parts;
    refresh();
    this.#width = Math.min(screen.width, 0xffff);
    this.#height = Math.min(screen.height, 0xffff);
    this.#dirty.resize(this.#width, this.#height);
    this.#dirty.addAll();
    return serverInit(this.#width, this.#height, name);
  }

  #receive(bytes: Uint8Array): void {
    if (!this.#open) return;
    this.#reader.push(bytes);
    if (!this.#ready) {
      const result = this.#handshake.advance(this.#reader);
      if (typeof result === "string") return this.#leave(result);
      if (!result) return;
      this.#ready = true;
    }
    while (this.#open) {
      const message = readMessage(this.#reader);
      if (message === undefined) return;
      if (typeof message === "string") return this.#leave(message);
      this.#handle(message);
    }
  }

  #handle(message: ClientMessage): void {
    switch (message.kind) {
      case "set-pixel-format": {
        const format = readPixelFormat(message.format, 0);
        if (!format) return this.#leave("impossible pixel format");
        this.#format = format;
        if (!format.trueColor) this.#parts.channel.write(colorMap());
        this.#dirty.addAll();
        return;
      }
      case "set-encodings":
        return this.#setEncodings(message.encodings);
      case "update-request":
        if (!message.incremental) this.#dirty.add(message.area);
        this.#requested = true;
        return this.#parts.wanted();
      case "continuous-updates":
        // Updates are not limited to the area: this server has one screen, and viewers ask for all of it.
        if (this.#continuous && !message.enable) this.#parts.channel.write(endOfContinuousUpdates());
        this.#continuous = message.enable;
        return this.#parts.wanted();
      case "fence":
        if (isFenceRequest(message.flags)) this.#parts.channel.write(fenceReply(message.flags, message.payload));
        else this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
        return this.#parts.wanted();
      case "key":
        this.#keyboard.keysym(message.keysym, message.down);
        return this.#parts.wanted();
      case "scan-code":
        this.#keyboard.scanCode(message.code, message.down);
        return this.#parts.wanted();
      case "pointer":
        this.#movePointer(message.x, message.y, message.buttons);
        return this.#parts.wanted();
      case "set-desktop-size":
        if (this.#encodings.has(ENCODING.EXTENDED_DESKTOP_SIZE)) {
          const { input } = this.#parts;
          input.resize?.(message.width, message.height);
          this.#announceSize(RESIZE_BY_CLIENT, input.resize ? RESIZE_FORWARDED : RESIZE_PROHIBITED);
        }
        return this.#parts.wanted();
      case "ignored":
        return;
    }
  }

  #setEncodings(encodings: readonly number[]): void {
    const before = this.#encodings;
    this.#encodings = new Set(encodings);
    const preferred = encodings.find(
      (encoding) => encoding === ENCODING.RAW || (encoding === ENCODING.ZRLE && this.#zrle),
    );
    this.#encode = preferred === ENCODING.ZRLE && this.#zrle ? this.#zrle : rawEncoder;
    const appeared = (encoding: number) => this.#encodings.has(encoding) && !before.has(encoding);
    const empty = { x: 0, y: 0, width: 0, height: 0 };
    for (const encoding of [ENCODING.QEMU_EXTENDED_KEY_EVENT, ENCODING.EXTENDED_MOUSE_BUTTONS]) {
      if (appeared(encoding)) this.#pendingPseudo.push(rectHeader(empty, encoding));
    }
    if (appeared(ENCODING.DESKTOP_NAME)) {
      this.#pendingPseudo.push(concat([rectHeader(empty, ENCODING.DESKTOP_NAME), nameBytes(this.#parts.name)]));
    }
    if (appeared(ENCODING.EXTENDED_DESKTOP_SIZE)) this.#announceSize(0, 0);
    if (appeared(ENCODING.CONTINUOUS_UPDATES) && this.#encodings.has(ENCODING.FENCE)) {
      this.#parts.channel.write(endOfContinuousUpdates());
    }
  }

  /** Takes over the screen's new size, or keeps the old one for a viewer that can't change. */
  #resize(): void {
    const { screen } = this.#parts;
    const extended = this.#encodings.has(ENCODING.EXTENDED_DESKTOP_SIZE);
    this.#pendingScroll = undefined;
    if (!extended && !this.#encodings.has(ENCODING.DESKTOP_SIZE)) {
      // What lies outside the new picture stays as it was; what does not fit is cut off.
      this.#dirty.resize(Math.min(this.#width, screen.width), Math.min(this.#height, screen.height));
      this.#dirty.addAll();
      return;
    }
    this.#width = screen.width;
    this.#height = screen.height;
    this.#dirty.resize(this.#width, this.#height);
    this.#dirty.addAll();
    if (extended) this.#announceSize(0, 0);
    else {
      const size = { x: 0, y: 0, width: this.#width, height: this.#height };
      this.#pendingPseudo.push(rectHeader(size, ENCODING.DESKTOP_SIZE));
    }
  }

  #announceSize(reason: number, status: number): void {
    const header = { x: reason, y: status, width: this.#width, height: this.#height };
    this.#pendingPseudo.push(
      concat([rectHeader(header, ENCODING.EXTENDED_DESKTOP_SIZE), singleScreen(this.#width, this.#height)]),
    );
  }

  #movePointer(x: number, y: number, mask: number): void {
    const before = this.#pointer ?? { x, y, buttons: 0 };
    this.#pointer = { x, y, buttons: mask };
    this.#follower.moved({ x, y });
    let buttons = 0;
    for (const [rfb, button] of BUTTON_BITS) if (mask & rfb) buttons |= button;
    // The wheel is a button that is pressed and released for every detent.
    const pressed = mask & ~before.buttons;
    const wheel = (pressed & WHEEL_DOWN ? 1 : 0) - (pressed & WHEEL_UP ? 1 : 0);
    const { width, height } = this.#parts.screen;
    this.#parts.input.pointer({ x, y, width, height, dx: x - before.x, dy: y - before.y, wheel, buttons });
  }

  #leave(reason: string | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ready = false;
    this.#keyboard.releaseAll();
    if (this.#pointer && this.#pointer.buttons !== 0) this.#movePointer(this.#pointer.x, this.#pointer.y, 0);
    const { channel } = this.#parts;
    channel.onData = undefined;
    channel.onClose = undefined;
    if (reason !== undefined) channel.close();
    this.#parts.gone(reason);
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
