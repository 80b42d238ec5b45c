// The pixel encodings of the RFB server: each turns a rectangle of the screen into what follows its header.
import type { Rect } from "../../devices/display-source.ts";
import type { PixelFormat } from "../pixel-format.ts";
import type { Image } from "../png.ts";

/** Numbers of RFC 6143 7.7 and of the rfbproto registry, in their spelling. */
export const ENCODING = {
  RAW: 0,
  COPY_RECT: 1,
  ZRLE: 16,
  VMWARE_CURSOR: 0x574d_5664,
  DESKTOP_SIZE: -223,
  LAST_RECT: -224,
  CURSOR: -239,
  QEMU_EXTENDED_KEY_EVENT: -258,
  QEMU_LED_STATE: -261,
  DESKTOP_NAME: -307,
  EXTENDED_DESKTOP_SIZE: -308,
  FENCE: -312,
  CONTINUOUS_UPDATES: -313,
  EXTENDED_MOUSE_BUTTONS: -316,
} as const;

/** What follows a rectangle's header, in the encoding that goes into the header. */
export interface EncodedRect {
  readonly encoding: number;
  readonly body: Uint8Array;
}

/** Reads the pixels at once; only compression may take its time, so that the picture can go on changing. */
export type RectEncoder = (image: Image, rect: Rect, format: PixelFormat) => Promise<EncodedRect>;

/**
 * Raw deflate (RFC 1951) of the input, ended by a sync flush and without a final block, so that results can be strung together into
 * one stream. Node: `deflateRaw(data, { finishFlush: Z_SYNC_FLUSH })`.
 */
export type DeflateBlock = (data: Uint8Array) => Promise<Uint8Array>;
