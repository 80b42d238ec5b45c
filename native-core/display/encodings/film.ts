// The encoder of a viewer that takes ZRLE: ZRLE for text and areas, pixels as they are for films.
//
// Photographs and films hardly become smaller. Finding that out anew for every picture takes ten times as long as sending it, and viewers in
// JavaScript take longer still for taking ZRLE apart. So once a large rectangle did not pay, those that look alike are sent raw, and now and
// then a sample of one is compressed beside, to see whether it would pay again.
import type { Rect } from "../../devices/display-source.ts";
import { isScreenFormat, type PixelFormat } from "../pixel-format.ts";
import type { Image } from "../png.ts";
import type { DeflateBlock, EncodedRect, RectEncoder } from "./encoding.ts";
import { encodeRaw } from "./raw.ts";
import { ZrleStream } from "./zrle.ts";

/** Smaller rectangles are worth no thought. */
const LARGE_PIXELS = 20_000;
/** Compressed pixels above this part of their size were not worth the time. */
const WORTH_IT = 0.6;
/** Rectangles between two samples. */
const SAMPLE_EVERY = 64;
const SAMPLE_LINES = 32;
/** Lines of a rectangle that are looked at. */
const LOOK_LINES = 8;

/** An encoder for one viewer; all that it encodes must be sent, in order. */
export function filmEncoder(deflate: DeflateBlock): RectEncoder {
  const zrle = new ZrleStream(deflate);
  let isFilm = false;
  let sinceSample = 0;

  const sample = (image: Image, rect: Rect, format: PixelFormat): void => {
    sinceSample = 0;
    const height = Math.min(rect.height, SAMPLE_LINES);
    const result = (kept: number) => {
      isFilm = kept > WORTH_IT;
    };
    // Whoever wants to know that compression fails hears it from the next rectangle.
    zrle.trial(image, { ...rect, height }, format).then(result, () => result(0));
  };

  return async (image, rect, format): Promise<EncodedRect> => {
    const isLarge = rect.width * rect.height >= LARGE_PIXELS;
    if (isLarge && isFilm && looksLikeFilm(image, rect)) {
      if (++sinceSample >= SAMPLE_EVERY) sample(image, rect, format);
      return isScreenFormat(format) ? encodeRaw(image, rect, format) : zrle.encode(image, rect, format, false);
    }
    const encoded = await zrle.encode(image, rect, format, true);
    if (isLarge && encoded.body.length > rect.width * rect.height * 3 * WORTH_IT) isFilm = true;
    return encoded;
  };
}

/** Whether most pixels differ from the one before them. */
function looksLikeFilm({ pixels, width }: Image, rect: Rect): boolean {
  let equal = 0;
  const step = Math.ceil(rect.height / LOOK_LINES);
  let looked = 0;
  for (let line = rect.y; line < rect.y + rect.height; line += step) {
    const first = line * width + rect.x;
    for (let at = first + 1; at < first + rect.width; at++) if (pixels[at] === pixels[at - 1]) equal++;
    looked += rect.width;
  }
  return equal * 2 < looked;
}
