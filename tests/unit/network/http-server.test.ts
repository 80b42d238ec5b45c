// HTTP as boot loaders speak it, against the server's streams.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostStream } from "../../../native-core/network/nat/host-network.ts";
import { HttpServer } from "../../../native-core/network/services/http-server.ts";

const FILE = Uint8Array.from({ length: 200_000 }, (_, at) => at & 0xff);

function connect(server = new HttpServer({ read: async (name) => (name === "/boot file" ? FILE : undefined) })) {
  const got = { bytes: [] as number[], connected: false, ended: false, closed: "" };
  const stream: HostStream = server.connect({
    connected: () => void (got.connected = true),
    data: (bytes) => {
      for (const byte of bytes) got.bytes.push(byte);
    },
    drained: () => {},
    ended: () => void (got.ended = true),
    closed: (reason) => void (got.closed = reason),
  });
  const write = async (text: string) => {
    stream.write(new TextEncoder().encode(text));
    await settle();
  };
  const text = () => String.fromCharCode(...got.bytes.slice(0, 400));
  const body = () => Uint8Array.from(got.bytes.slice(text().indexOf("\r\n\r\n") + 4));
  return { server, stream, got, write, text, body };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

const get = (target: string, ...fields: string[]) => [`GET ${target} HTTP/1.1`, ...fields, "", ""].join("\r\n");

describe("an HTTP server for booting", () => {
  it("sends files whole, one request after the other over one connection", async () => {
    const { got, write, text, body, stream } = connect();
    await settle();
    expect(got.connected).toBe(true);
    await write(get("/boot%20file?x=1", "Host: 10.0.2.2"));
    expect(text()).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: keep-alive\r\n/);
    expect(text()).toContain("Content-Length: 200000\r\n");
    expect(body()).toEqual(FILE);
    got.bytes.length = 0;
    await write("HEAD http://10.0.2.2/boot%20file HTTP/1.1\r\n");
    expect(got.bytes).toEqual([]);
    await write("\r\n");
    expect(text()).toContain("Content-Length: 200000\r\n");
    expect(body()).toHaveLength(0);
    got.bytes.length = 0;
    await write(get("/none", "Connection: close"));
    expect(text()).toMatch(/^HTTP\/1\.1 404 /);
    expect(got.closed).toBe("done");
    stream.abort();
  });

  it.each([
    ["bytes=10-19", 206, [10, 20]],
    ["bytes=199990-", 206, [199_990, 200_000]],
    ["bytes=-5", 206, [199_995, 200_000]],
    ["bytes=200000-", 416, [0, 0]],
    ["lines=1-2", 200, [0, 200_000]],
  ] as const)("knows the range %s", async (range, status, [from, to]) => {
    const { write, text, body } = connect();
    await write(get("/boot%20file", `Range: ${range}`));
    expect(text()).toContain(`HTTP/1.1 ${status} `);
    expect(body()).toEqual(FILE.slice(from, to));
  });

  it("stops while the guest takes nothing, and ends when it is answered", async () => {
    const { stream, got, write, body } = connect();
    stream.pause();
    await write("GET /boot%20file HTTP/1.0\r\n\r\n");
    expect(body()).toHaveLength(0);
    stream.resume();
    expect(body()).toEqual(FILE);
    expect([got.ended, got.closed]).toEqual([true, "done"]);
  });

  it("reads no more than a few files at a time", async () => {
    const { server } = connect();
    const open = Array.from({ length: 10 }, () => connect(server));
    for (const { stream, write } of open) {
      stream.pause();
      await write(get("/boot%20file"));
    }
    expect(open.map(({ text }) => text().slice(9, 12))).toEqual([...Array(8).fill("200"), "503", "503"]);
    for (const { stream } of open) stream.abort();
    const later = connect(server);
    await later.write(get("/boot%20file"));
    expect(later.text()).toContain(" 200 ");
  });

  it("never throws, whatever the guest sends", async () => {
    const piece = fc.oneof(
      fc.constantFrom("GET / HTTP/1.1\r\n", "\r\n", "\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "Range: bytes=-\r\n"),
      fc.string({ maxLength: 40 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (texts) => {
        const { stream, write } = connect();
        for (const text of texts) await write(text);
        stream.end();
      }),
      { numRuns: 200 },
    );
  });
});
