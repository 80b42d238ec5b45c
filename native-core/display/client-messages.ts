// The messages of a viewer (RFC 6143 7.5 and the rfbproto registry), read from untrusted bytes.
import type { Rect } from "../devices/display-source.ts";
import type { MessageReader } from "./message-reader.ts";

export type ClientMessage =
  | { readonly kind: "set-pixel-format"; readonly format: DataView }
  | { readonly kind: "set-encodings"; readonly encodings: readonly number[] }
  | { readonly kind: "update-request"; readonly incremental: boolean; readonly area: Rect }
  | { readonly kind: "key"; readonly keysym: number; readonly down: boolean }
  | { readonly kind: "scan-code"; readonly code: number; readonly keysym: number; readonly down: boolean }
  | { readonly kind: "pointer"; readonly x: number; readonly y: number; readonly buttons: number }
  | { readonly kind: "continuous-updates"; readonly enable: boolean; readonly area: Rect }
  | { readonly kind: "fence"; readonly flags: number; readonly payload: Uint8Array }
  | { readonly kind: "set-desktop-size"; readonly width: number; readonly height: number }
  | { readonly kind: "ignored" };

/** Nobody pastes more; a viewer that announces more is not to be trusted. */
const MAX_CUT_TEXT = 1 << 20;
const MAX_FENCE_PAYLOAD = 64;

/** The next message; undefined until it is complete; a string says why the viewer has to go. */
export function readMessage(reader: MessageReader): ClientMessage | string | undefined {
  if (reader.available === 0) return undefined;
  const { view } = reader;
  const has = (length: number) => reader.available >= length;
  switch (view.getUint8(0)) {
    case 0: {
      if (!has(20)) return undefined;
      reader.take(20);
      return { kind: "set-pixel-format", format: new DataView(view.buffer, view.byteOffset + 4, 16) };
    }
    case 2: {
      if (!has(4)) return undefined;
      const count = view.getUint16(2);
      const length = 4 + 4 * count;
      if (!has(length)) return undefined;
      const encodings = Array.from({ length: count }, (_, index) => view.getInt32(4 + 4 * index));
      reader.take(length);
      return { kind: "set-encodings", encodings };
    }
    case 3: {
      if (!has(10)) return undefined;
      reader.take(10);
      return { kind: "update-request", incremental: view.getUint8(1) !== 0, area: rectAt(view, 2) };
    }
    case 4: {
      if (!has(8)) return undefined;
      reader.take(8);
      return { kind: "key", down: view.getUint8(1) !== 0, keysym: view.getUint32(4) };
    }
    case 5: {
      // The top bit announces one more byte of buttons, of which none is used here.
      const length = has(2) && view.getUint8(1) & 0x80 ? 7 : 6;
      if (!has(length)) return undefined;
      reader.take(length);
      return { kind: "pointer", buttons: view.getUint8(1) & 0x7f, x: view.getUint16(2), y: view.getUint16(4) };
    }
    case 6: {
      if (!has(8)) return undefined;
      // A negative length marks the extended clipboard, which is not announced but has the same shape.
      const size = Math.abs(view.getInt32(4));
      if (size > MAX_CUT_TEXT) return `clipboard text of ${size} bytes`;
      reader.take(8);
      reader.skip(size);
      return { kind: "ignored" };
    }
    case 150: {
      if (!has(10)) return undefined;
      reader.take(10);
      return { kind: "continuous-updates", enable: view.getUint8(1) !== 0, area: rectAt(view, 2) };
    }
    case 248: {
      if (!has(9)) return undefined;
      const size = view.getUint8(8);
      if (size > MAX_FENCE_PAYLOAD) return `fence with a payload of ${size} bytes`;
      if (!has(9 + size)) return undefined;
      const payload = reader.take(9 + size).slice(9);
      return { kind: "fence", flags: view.getUint32(4), payload };
    }
    case 250: {
      if (!has(4)) return undefined;
      reader.take(4);
      return { kind: "ignored" };
    }
    case 251: {
      if (!has(8)) return undefined;
      const length = 8 + 16 * view.getUint8(6);
      if (!has(length)) return undefined;
      reader.take(length);
      return { kind: "set-desktop-size", width: view.getUint16(2), height: view.getUint16(4) };
    }
    case 255: {
      if (!has(2)) return undefined;
      if (view.getUint8(1) !== 0) return `QEMU message ${view.getUint8(1)} is not supported`;
      if (!has(12)) return undefined;
      reader.take(12);
      return {
        kind: "scan-code",
        down: view.getUint16(2) !== 0,
        keysym: view.getUint32(4),
        code: view.getUint32(8),
      };
    }
    default:
      return `unknown message type ${view.getUint8(0)}`;
  }
}

function rectAt(view: DataView, at: number): Rect {
  return {
    x: view.getUint16(at),
    y: view.getUint16(at + 2),
    width: view.getUint16(at + 4),
    height: view.getUint16(at + 6),
  };
}
