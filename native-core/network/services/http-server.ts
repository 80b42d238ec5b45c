// An HTTP server for machines that boot from the network, beside the TFTP server and with the same files: GET and HEAD, ranges, and
// connections that stay open (RFC 9110, RFC 9112). To the NAT each connection is a stream of the host.
import type { HostStream, HostStreamEvents } from "../nat/host-network.ts";

export const HTTP_PORT = 80;
const MAX_REQUEST_BYTES = 16 << 10;
/** Files being read or sent at a time: each is held in memory. */
const MAX_TRANSFERS = 8;
const PIECE_BYTES = 64 << 10;

export interface HttpServerParts {
  /** The file of that name, or undefined when there is none to be had. */
  read(name: string): Promise<Uint8Array | undefined>;
}

export class HttpServer {
  readonly #parts: HttpServerParts;
  #transfers = 0;

  constructor(parts: HttpServerParts) {
    this.#parts = parts;
  }

  /** A connection of the guest's; it is answered at once. */
  connect(events: HostStreamEvents): HostStream {
    return new HttpConnection(events, {
      begin: () => this.#transfers < MAX_TRANSFERS && ++this.#transfers > 0,
      end: () => void this.#transfers--,
      read: (name) => this.#parts.read(name),
    });
  }
}

interface ConnectionParts extends HttpServerParts {
  /** False: too many files are under way. */
  begin(): boolean;
  end(): void;
}

interface Request {
  readonly method: string;
  readonly target: string;
  readonly range: string | undefined;
  readonly keepsOpen: boolean;
}

class HttpConnection implements HostStream {
  readonly unsentBytes = 0;
  readonly #events: HostStreamEvents;
  readonly #parts: ConnectionParts;
  #received = "";
  #answering = false;
  #body = new Uint8Array(0);
  #sent = 0;
  #paused = false;
  #closing = false;
  #closed = false;

  constructor(events: HostStreamEvents, parts: ConnectionParts) {
    this.#events = events;
    this.#parts = parts;
    // The caller has to have the stream before it hears of it.
    void Promise.resolve().then(() => {
      if (!this.#closed) events.connected();
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || this.#closing) return;
    for (const byte of bytes) this.#received += String.fromCharCode(byte);
    if (this.#received.length > MAX_REQUEST_BYTES && !this.#received.includes("\r\n\r\n")) return this.#refuse(431);
    this.#next();
  }

  cork(): void {}

  uncork(): void {}

  /** The guest sends no more; what it asked for is still answered. */
  end(): void {
    this.#closing = true;
    if (!this.#answering) this.#finish();
  }

  abort(): void {
    if (this.#answering) this.#parts.end();
    this.#answering = false;
    this.#closed = true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#answering) this.#pump();
  }

  /** Answers the next request, if one has come whole. */
  #next(): void {
    const end = this.#received.indexOf("\r\n\r\n");
    if (this.#answering || this.#closed || end < 0) return;
    const request = parseRequest(this.#received.slice(0, end));
    this.#received = this.#received.slice(end + 4);
    if (!request) return this.#refuse(400);
    if (!this.#parts.begin()) return this.#refuse(503);
    this.#answering = true;
    if (!request.keepsOpen) this.#closing = true;
    void this.#parts
      .read(request.target)
      .catch(() => undefined)
      .then((file) => this.#answer(request, file));
  }

  #answer({ method, range, keepsOpen }: Request, file: Uint8Array | undefined): void {
    if (this.#closed) return;
    const headers = [`Connection: ${keepsOpen ? "keep-alive" : "close"}`, "Accept-Ranges: bytes"];
    const isKnown = method === "GET" || method === "HEAD";
    const wanted = file && range !== undefined ? parseRange(range, file.length) : undefined;
    let status = isKnown ? (file ? 200 : 404) : 405;
    let body: Uint8Array<ArrayBuffer> = new Uint8Array(0);
    if (isKnown && file) {
      body = new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, file.length);
      if (wanted === "none") {
        status = 416;
        headers.push(`Content-Range: bytes */${file.length}`);
        body = new Uint8Array(0);
      } else if (wanted) {
        status = 206;
        headers.push(`Content-Range: bytes ${wanted.first}-${wanted.last}/${file.length}`);
        body = body.subarray(wanted.first, wanted.last + 1);
      }
    }
    headers.push(`Content-Length: ${body.length}`, "Content-Type: application/octet-stream");
    this.#send(status, headers);
    this.#body = method === "HEAD" ? new Uint8Array(0) : body;
    this.#sent = 0;
    this.#pump();
  }

  #send(status: number, headers: readonly string[]): void {
    this.#events.data(
      new TextEncoder().encode([`HTTP/1.1 ${status} ${REASONS[status]}`, ...headers, "", ""].join("\r\n")),
    );
  }

  /** Sends what the guest takes. */
  #pump(): void {
    while (!this.#paused && !this.#closed && this.#sent < this.#body.length) {
      const piece = this.#body.slice(this.#sent, this.#sent + PIECE_BYTES);
      this.#sent += piece.length;
      this.#events.data(piece);
    }
    if (this.#closed || this.#sent < this.#body.length) return;
    this.#answering = false;
    this.#body = new Uint8Array(0);
    this.#parts.end();
    if (this.#closing) this.#finish();
    else this.#next();
  }

  #refuse(status: number): void {
    this.#send(status, ["Connection: close", "Content-Length: 0"]);
    this.#finish();
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.ended();
    this.#events.closed("done");
  }
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  416: "Range Not Satisfiable",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};

function parseRequest(head: string): Request | undefined {
  const [line = "", ...fields] = head.split("\r\n");
  const match = /^([A-Z]{1,16}) (\S{1,4096}) HTTP\/1\.([01])$/.exec(line);
  const [, method, target, minor] = match ?? [];
  if (method === undefined || target === undefined) return undefined;
  const field = (name: string): string | undefined =>
    fields
      .find((each) => each.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const connection = field("connection")?.toLowerCase();
  const keepsOpen = minor === "1" ? connection !== "close" : connection === "keep-alive";
  try {
    // A whole address is allowed, too (RFC 9112 3.2.2); what follows a question mark is not part of a file's name.
    const path = target.replace(/^http:\/\/[^/]*/i, "").replace(/[?#].*$/, "");
    return { method, target: decodeURIComponent(path), range: field("range"), keepsOpen };
  } catch {
    return undefined;
  }
}

/** One range of bytes, inclusive; "none": outside of the file. Undefined for what is not understood: the whole is sent then. */
function parseRange(text: string, size: number): { first: number; last: number } | "none" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text);
  const [, from = "", to = ""] = match ?? [];
  if (!match || (from === "" && to === "")) return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return first > last ? "none" : { first, last };
}
