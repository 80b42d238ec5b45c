// The least of an RFB 3.8 server (RFC 6143): no authentication, raw rectangles in the client's 32-bit format, keys, and a frame buffer that
// gets the size that the client asks for (the text stays in its corner).
import type { Socket } from "node:net";
import { ENCODING } from "../../../native-core/display/encodings/encoding.ts";
import { rectHeader, singleScreen, updateHeader } from "../../../native-core/display/server-messages.ts";
import { HEIGHT, type TextScreen, WIDTH } from "./text-screen.ts";

const CHECK_MS = 40;
const MESSAGE_BYTES: Readonly<Record<number, number>> = { 0: 20, 3: 10, 4: 8, 5: 6 };
const SET_ENCODINGS = 2;
const SET_DESKTOP_SIZE = 251;
/** Why a size is told: the server says so, or this client asked for it. */
const REASON = { SERVER: 0, CLIENT: 1 } as const;

function serverInit(): Buffer {
  const name = Buffer.from("scripted guest");
  const message = Buffer.alloc(24 + name.length);
  message.writeUInt16BE(WIDTH, 0);
  message.writeUInt16BE(HEIGHT, 2);
  // 32 bits per pixel, depth 24, little endian, true colour, 8 bits each at 0, 8, 16.
  Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]).copy(message, 4);
  message.writeUInt32BE(name.length, 20);
  name.copy(message, 24);
  return message;
}

function update(screen: TextScreen): Buffer {
  const { pixels } = screen.picture();
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(WIDTH, 8);
  head.writeUInt16BE(HEIGHT, 10);
  return Buffer.concat([head, Buffer.from(pixels.buffer)]);
}

/** Of a message of the client that is there at least so far; undefined when its length is not. */
function messageBytes(input: Buffer): number | undefined {
  const type = input[0] ?? 0;
  if (type === SET_ENCODINGS) return input.length < 4 ? undefined : 4 + 4 * input.readUInt16BE(2);
  if (type === SET_DESKTOP_SIZE) return input.length < 8 ? undefined : 8 + 16 * input.readUInt8(6);
  return MESSAGE_BYTES[type] ?? 4;
}

function desktopSize(width: number, height: number, reason: number): Buffer {
  const header = rectHeader({ x: reason, y: 0, width, height }, ENCODING.EXTENDED_DESKTOP_SIZE);
  return Buffer.concat([updateHeader(1), header, singleScreen(width, height)]);
}

export function serveRfb(socket: Socket, screen: TextScreen, onKey: (text: string) => void): void {
  let input = Buffer.alloc(0);
  let phase: "version" | "security" | "init" | "normal" = "version";
  let wanted = false;
  let sent = 0;

  const answer = () => {
    if (!wanted || sent === screen.generation) return;
    wanted = false;
    sent = screen.generation;
    socket.write(update(screen));
  };
  const timer = setInterval(answer, CHECK_MS);
  socket.on("close", () => clearInterval(timer));

  const message = (bytes: Buffer) => {
    if (bytes[0] === 3) {
      wanted = true;
      if (bytes[1] === 0) sent = 0;
      answer();
    } else if (bytes[0] === SET_ENCODINGS) {
      socket.write(desktopSize(WIDTH, HEIGHT, REASON.SERVER));
    } else if (bytes[0] === SET_DESKTOP_SIZE) {
      socket.write(desktopSize(bytes.readUInt16BE(2), bytes.readUInt16BE(4), REASON.CLIENT));
      sent = 0;
      answer();
    } else if (bytes[0] === 4 && bytes[1] === 1) {
      const keysym = bytes.readUInt32BE(4);
      if (keysym === 0xff0d) onKey("\r");
      else if (keysym === 0xff08) onKey("\x7f");
      else if (keysym < 0x100) onKey(String.fromCharCode(keysym));
    }
  };

  /** Takes one whole message from the input; false when more bytes are needed. */
  const step = (): boolean => {
    const take = (count: number) => {
      const bytes = input.subarray(0, count);
      input = input.subarray(count);
      return bytes;
    };
    if (phase === "version" && input.length >= 12) {
      take(12);
      socket.write(Buffer.from([1, 1]));
      phase = "security";
    } else if (phase === "security" && input.length >= 1) {
      take(1);
      socket.write(Buffer.alloc(4));
      phase = "init";
    } else if (phase === "init" && input.length >= 1) {
      take(1);
      socket.write(serverInit());
      phase = "normal";
    } else if (phase === "normal" && input.length >= 1) {
      const length = messageBytes(input);
      if (length === undefined || input.length < length) return false;
      message(take(length));
    } else return false;
    return true;
  };

  socket.write("RFB 003.008\n");
  socket.on("data", (bytes) => {
    input = Buffer.concat([input, bytes]);
    while (step()) {
      // Each step consumes its bytes.
    }
  });
}
