// The display as an RFB 3.8 server (RFC 6143): any number of viewers look at one screen.
//
// The screen is looked at 60 times a second while a viewer could take an update, less often while nothing happens, and not at all
// while nobody looks. Time and channels come from the host; nothing here waits.
import type { DisplaySource } from "../devices/display-source.ts";
import type { ByteChannel } from "./byte-channel.ts";
import { withCursor } from "./cursor.ts";
import type { DeflateBlock } from "./encodings/encoding.ts";
import type { InputSink } from "./input-sink.ts";
import type { Image } from "./png.ts";
import { Screen } from "./screen.ts";
import { Viewer } from "./viewer.ts";

const FRAME_MS = 16;
/** After this many looks without a change the pace drops, until something is typed, moved or drawn. */
const BUSY_LOOKS = 60;
const IDLE_FRAME_MS = 50;

export interface RfbServerOptions {
  readonly source: DisplaySource;
  readonly input: InputSink;
  /** Shown by viewers as the window's title. */
  readonly name: string;
  /** Calls back once after `delayMs`; the result cancels it. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void;
  /** Lights of the guest's keyboard, for viewers that keep theirs in step: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock, as PS/2 has them. */
  readonly leds?: () => number;
  /** Without it, viewers get raw pixels. */
  readonly deflate?: DeflateBlock;
  /** A viewer was sent away. */
  readonly onRefused?: (reason: string) => void;
}

export class RfbServer {
  readonly #screen: Screen;
  readonly #options: RfbServerOptions;
  readonly #viewers = new Set<Viewer>();
  #cancelLook: (() => void) | undefined;
  /** The next look is one of the slow ones. */
  #idle = false;
  #quietLooks = 0;

  constructor(options: RfbServerOptions) {
    this.#options = options;
    this.#screen = new Screen(options.source);
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Serves a viewer until either side closes. */
  attach(channel: ByteChannel): void {
    const { input, deflate, name, leds = () => 0, onRefused } = this.#options;
    let viewer: Viewer | undefined;
    viewer = new Viewer({
      channel,
      screen: this.#screen,
      refresh: () => void this.#refresh(),
      input,
      deflate,
      name,
      leds,
      wanted: () => this.#wake(),
      gone: (reason) => {
        if (viewer) this.#viewers.delete(viewer);
        if (reason !== undefined) onRefused?.(reason);
      },
    });
    this.#viewers.add(viewer);
  }

  /** The picture as it is now, with the pointer, for screenshots. The pixels may be the server's own: encode or copy them at once. */
  capture(): Image {
    this.#refresh();
    return withCursor(this.#screen, this.#screen.cursor);
  }

  dispose(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    for (const viewer of [...this.#viewers]) viewer.close();
  }

  /** Somebody may want an update soon: back to the full pace. */
  #wake(): void {
    this.#quietLooks = 0;
    if (this.#cancelLook && !this.#idle) return;
    this.#schedule(FRAME_MS);
  }

  #schedule(delayMs: number): void {
    this.#cancelLook?.();
    this.#idle = delayMs > FRAME_MS;
    this.#cancelLook = this.#options.schedule(() => this.#look(), delayMs);
  }

  #look(): void {
    this.#cancelLook = undefined;
    const ready = [...this.#viewers].filter((viewer) => viewer.wantsUpdate);
    if (ready.length === 0) {
      // Viewers wake the server when they are ready again; a full channel does not say when it has drained.
      if ([...this.#viewers].some((viewer) => viewer.congested)) this.#schedule(IDLE_FRAME_MS);
      return;
    }
    const changed = this.#refresh();
    this.#quietLooks = changed ? 0 : this.#quietLooks + 1;
    for (const viewer of ready) void viewer.flush();
    if (!this.#cancelLook) this.#schedule(this.#quietLooks > BUSY_LOOKS ? IDLE_FRAME_MS : FRAME_MS);
  }

  /** Brings the screen up to date and tells every viewer. True if anything changed. */
  #refresh(): boolean {
    const change = this.#screen.refresh();
    const changed = change.resized || change.damage.length > 0 || change.scroll !== undefined;
    if (changed) for (const viewer of this.#viewers) viewer.note(change);
    return changed || change.cursorMoved;
  }
}
