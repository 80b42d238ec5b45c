// A TFTP server for machines that boot from the network (RFC 1350, options RFC 2347, block size RFC 2348, size RFC 2349). It only reads:
// where files come from, and which there are, is the host's to say.
//
//   request to port 69 --> options acknowledged, or block 1, from a port of its own --> acknowledgment n --> block n + 1 ...
import { sameBytes } from "../packets/ethernet.ts";

export const TFTP_PORT = 69;

const OPCODE = { RRQ: 1, WRQ: 2, DATA: 3, ACK: 4, ERROR: 5, OACK: 6 } as const;
const ERROR = { NOT_FOUND: 1, ACCESS: 2, ILLEGAL: 4, OPTION: 8 } as const;

const DEFAULT_BLOCK_BYTES = 512;
const MIN_BLOCK_BYTES = 8;
/** What fits the wire: 1500 less the headers of IPv4, UDP and TFTP. */
const MAX_BLOCK_BYTES = 1468;
/** Files being read or sent at a time: each is held in memory. */
const MAX_TRANSFERS = 4;
const FIRST_PORT = 61_000;
const LAST_PORT = 64_999;
const RETRY_MS = 1000;
const MAX_RETRIES = 6;

export interface TftpParts {
  /** The file of that name, or undefined when there is none to be had. */
  read(name: string): Promise<Uint8Array | undefined>;
  send(guest: Uint8Array, guestPort: number, fromPort: number, payload: Uint8Array): void;
  nowMs(): number;
}

interface Transfer {
  readonly guest: Uint8Array;
  readonly guestPort: number;
  readonly name: string;
  readonly file: Uint8Array;
  readonly blockBytes: number;
  /** Blocks that the guest has acknowledged. */
  done: number;
  /** What was sent last, to be sent again. */
  last: Uint8Array;
  retries: number;
  retryAtMs: number;
}

export class TftpServer {
  readonly #parts: TftpParts;
  /** By our port. */
  readonly #transfers = new Map<number, Transfer>();
  /** Who waits for a file that is being read: address and port. */
  readonly #reading = new Set<string>();
  #nextPort = FIRST_PORT;

  constructor(parts: TftpParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#transfers.size;
  }

  /** Whether a datagram to that port is for this server. */
  owns(port: number): boolean {
    return port === TFTP_PORT || this.#transfers.has(port);
  }

  receive(guest: Uint8Array, guestPort: number, port: number, payload: Uint8Array): void {
    if (payload.length < 4) return;
    const opcode = ((payload[0] as number) << 8) | (payload[1] as number);
    const transfer = this.#transfers.get(port);
    if (!transfer) {
      if (port === TFTP_PORT) this.#request(guest, guestPort, opcode, payload);
      return;
    }
    if (transfer.guestPort !== guestPort) return;
    if (opcode === OPCODE.ERROR) this.#transfers.delete(port);
    if (opcode === OPCODE.ACK)
      this.#acknowledged(port, transfer, ((payload[2] as number) << 8) | (payload[3] as number));
  }

  /** A few times a second: sends again what was not acknowledged, and gives up on who has gone. */
  tick(): void {
    const nowMs = this.#parts.nowMs();
    for (const [port, transfer] of this.#transfers) {
      if (nowMs < transfer.retryAtMs) continue;
      if (++transfer.retries > MAX_RETRIES) this.#transfers.delete(port);
      else this.#send(port, transfer, transfer.last);
    }
  }

  #request(guest: Uint8Array, guestPort: number, opcode: number, payload: Uint8Array): void {
    const refuse = (code: number, text: string) =>
      this.#parts.send(guest, guestPort, TFTP_PORT, message(OPCODE.ERROR, code, new TextEncoder().encode(`${text}\0`)));
    if (opcode === OPCODE.WRQ) return refuse(ERROR.ACCESS, "nothing can be written here");
    if (opcode !== OPCODE.RRQ) return refuse(ERROR.ILLEGAL, "not a request");
    const [name = "", mode = "", ...rest] = strings(payload.subarray(2));
    if (name === "" || mode.toLowerCase() === "mail") return refuse(ERROR.ILLEGAL, "not a request");
    const client = `${guest.join(".")}:${guestPort}`;
    if (this.#reading.has(client) || this.#answersAgain(guest, guestPort, name)) return;
    if (this.#transfers.size + this.#reading.size >= MAX_TRANSFERS) return refuse(ERROR.ACCESS, "too many transfers");
    this.#reading.add(client);
    void this.#parts
      .read(name)
      .catch(() => undefined)
      .then((file) => {
        this.#reading.delete(client);
        if (file) this.#begin(this.#takePort(), { guest, guestPort, name, file }, rest);
        else refuse(ERROR.NOT_FOUND, "there is no such file");
      });
  }

  /**
   * A client asks again when it had no answer for a while, PXELINUX after a tenth of a second. It gets the same answer from the same port: a
   * second transfer would confuse it, and take the place of others.
   */
  #answersAgain(guest: Uint8Array, guestPort: number, name: string): boolean {
    for (const [port, transfer] of this.#transfers) {
      if (transfer.guestPort !== guestPort || !sameBytes(transfer.guest, 0, guest, 0, guest.length)) continue;
      const isRepeated = transfer.name === name && transfer.done === 0;
      if (isRepeated) this.#send(port, transfer, transfer.last);
      // Whoever asks for something else has given up what went before.
      else this.#transfers.delete(port);
      return isRepeated;
    }
    return false;
  }

  #begin(
    port: number,
    asked: Pick<Transfer, "guest" | "guestPort" | "name" | "file">,
    options: readonly string[],
  ): void {
    const { file } = asked;
    const accepted: string[] = [];
    let blockBytes = DEFAULT_BLOCK_BYTES;
    for (let i = 0; i + 1 < options.length; i += 2) {
      const option = (options[i] as string).toLowerCase();
      const value = Number(options[i + 1]);
      if (option === "blksize" && Number.isInteger(value) && value >= MIN_BLOCK_BYTES) {
        blockBytes = Math.min(value, MAX_BLOCK_BYTES);
        accepted.push(option, String(blockBytes));
      }
      if (option === "tsize") accepted.push(option, String(file.length));
    }
    const transfer: Transfer = {
      ...asked,
      blockBytes,
      done: 0,
      last: new Uint8Array(0),
      retries: 0,
      retryAtMs: 0,
    };
    this.#transfers.set(port, transfer);
    if (accepted.length === 0) this.#send(port, transfer, block(transfer, 1));
    else {
      const text = new TextEncoder().encode(accepted.map((part) => `${part}\0`).join(""));
      const answer = new Uint8Array(2 + text.length);
      answer[1] = OPCODE.OACK;
      answer.set(text, 2);
      this.#send(port, transfer, answer);
    }
  }

  #acknowledged(port: number, transfer: Transfer, number: number): void {
    const isOptions = transfer.last[1] === OPCODE.OACK;
    const expected = isOptions ? 0 : (transfer.done + 1) & 0xffff;
    // An old acknowledgment is not answered, or two transfers would run on in one (RFC 1123 4.2.3.1).
    if (number !== expected) return;
    if (!isOptions) transfer.done++;
    transfer.retries = 0;
    if (transfer.done * transfer.blockBytes > transfer.file.length) this.#transfers.delete(port);
    else this.#send(port, transfer, block(transfer, transfer.done + 1));
  }

  #send(port: number, transfer: Transfer, payload: Uint8Array): void {
    transfer.last = payload;
    transfer.retryAtMs = this.#parts.nowMs() + RETRY_MS;
    this.#parts.send(transfer.guest, transfer.guestPort, port, payload);
  }

  #takePort(): number {
    do this.#nextPort = this.#nextPort >= LAST_PORT ? FIRST_PORT : this.#nextPort + 1;
    while (this.#transfers.has(this.#nextPort));
    return this.#nextPort;
  }
}

/** Block `number` from 1; the last one is short, if need be empty. Numbers on the wire start over after 65535. */
function block({ file, blockBytes }: Transfer, number: number): Uint8Array {
  const start = (number - 1) * blockBytes;
  return message(OPCODE.DATA, number & 0xffff, file.subarray(start, start + blockBytes));
}

function message(opcode: number, number: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.length);
  bytes[1] = opcode;
  bytes[2] = number >>> 8;
  bytes[3] = number & 0xff;
  bytes.set(body, 4);
  return bytes;
}

/** Strings that end in zeroes; an unfinished one at the end is none. */
function strings(bytes: Uint8Array): string[] {
  const found: string[] = [];
  let text = "";
  for (const byte of bytes) {
    if (byte !== 0) text += String.fromCharCode(byte);
    else {
      found.push(text);
      text = "";
    }
    if (found.length >= 32) break;
  }
  return found;
}
