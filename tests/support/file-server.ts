// A web server on the loopback that serves one file like a publisher does, and misbehaves where a test asks it to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedFile {
  content: Buffer;
  etag: string | null;
  /** Answers stop after so many bytes until `cut` ends their connection, as often as `cuts` says. */
  stopAfter: number;
  cuts: number;
  ranges: boolean;
}

export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly status: number;
}

export class FileServer {
  readonly files = new Map<string, ServedFile>();
  readonly requests: SeenRequest[] = [];
  /** How much of the file a client has when the last answer stopped. */
  stoppedAt = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async listen(): Promise<FileServer> {
    const server = new FileServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  serve(name: string, content: string | Buffer, options: Partial<ServedFile> = {}): ServedFile {
    const file = { content: Buffer.from(content), etag: '"1"', stopAfter: 0, cuts: 0, ranges: true };
    const served = Object.assign(file, options);
    this.files.set(`/${name}`, served);
    return served;
  }

  /** Ends all connections, answered or not. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const file = this.files.get(request.url ?? "");
    const { range } = request.headers;
    const note = (status: number) => this.requests.push({ path: request.url ?? "", range, status });
    if (!file) {
      note(404);
      response.writeHead(404).end();
      return;
    }
    const { content, etag } = file;
    const wanted = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const isSame = request.headers["if-range"] === etag;
    const isPartial = file.ranges && range !== undefined && isSame;
    const tags = etag === null ? {} : { ETag: etag };
    if (isPartial && wanted >= content.length) {
      note(416);
      response.writeHead(416, { ...tags, "Content-Range": `bytes */${content.length}` }).end();
      return;
    }
    const body = isPartial ? content.subarray(wanted) : content;
    const status = isPartial ? 206 : 200;
    note(status);
    response.writeHead(status, {
      ...tags,
      "Content-Length": body.length,
      ...(isPartial && { "Content-Range": `bytes ${wanted}-${content.length - 1}/${content.length}` }),
    });
    if (file.cuts > 0) {
      file.cuts--;
      this.stoppedAt = content.length - body.length + file.stopAfter;
      response.write(body.subarray(0, file.stopAfter));
      return;
    }
    response.end(body);
  }
}
