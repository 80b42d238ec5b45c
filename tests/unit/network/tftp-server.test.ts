// TFTP as boot loaders speak it, against the server's datagrams.
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { TFTP_PORT, TftpServer } from "../../../native-core/network/services/tftp-server.ts";

const GUEST = Uint8Array.of(10, 0, 2, 15);
const file = new Uint8Array(100_000).map((_, index) => index % 251);

let nowMs: number;
let sent: { port: number; to: number; bytes: Uint8Array }[];
let asked: string[];
let server: TftpServer;

beforeEach(() => {
  nowMs = 0;
  sent = [];
  asked = [];
  server = new TftpServer({
    read: async (name) => {
      asked.push(name);
      if (name === "broken") throw new Error("a disk");
      return name === "file" ? file : name === "even" ? file.subarray(0, 1024) : undefined;
    },
    send: (_guest, to, port, bytes) => void sent.push({ port, to, bytes }),
    nowMs: () => nowMs,
  });
});

const settled = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};
const receive = (port: number, bytes: readonly number[], from = 2000) =>
  server.receive(GUEST, from, port, Uint8Array.from(bytes));
const text = (...parts: string[]) => [...Buffer.from(parts.map((part) => `${part}\0`).join(""), "latin1")];
const read = async (name: string, from = 2000, ...options: string[]) => {
  receive(TFTP_PORT, [0, 1, ...text(name, "octet", ...options)], from);
  await settled();
};
const opcode = (bytes: Uint8Array) => bytes[1];
const number = (bytes: Uint8Array) => ((bytes[2] as number) << 8) | (bytes[3] as number);

/** Acknowledges blocks until the last, short one; yields what came. */
function fetchAll(): Uint8Array {
  const parts: Uint8Array[] = [];
  for (;;) {
    const next = sent.splice(0).at(-1);
    if (!next || opcode(next.bytes) !== 3) break;
    parts.push(next.bytes.subarray(4));
    receive(next.port, [0, 4, next.bytes[2] as number, next.bytes[3] as number]);
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe("a TFTP server", () => {
  it("sends a file in blocks of 512 bytes, each when the one before was acknowledged", async () => {
    await read("file");
    expect(sent.map(({ to, bytes }) => [to, opcode(bytes), number(bytes), bytes.length])).toEqual([[2000, 3, 1, 516]]);
    expect(sent[0]?.port).not.toBe(TFTP_PORT);
    expect(fetchAll()).toEqual(file);
    expect(server.size).toBe(0);
  });

  it("ends a file of whole blocks with an empty one", async () => {
    await read("even");
    expect(fetchAll()).toHaveLength(1024);
    expect(server.size).toBe(0);
  });

  it("agrees on larger blocks and tells the size", async () => {
    await read("file", 2000, "BLKSIZE", "9000", "tsize", "0", "windowsize", "16");
    const [answer] = sent.splice(0);
    expect(Buffer.from(answer?.bytes ?? []).toString("latin1")).toBe("\0\x06blksize\0" + "1468\0tsize\0" + "100000\0");
    receive(answer?.port ?? 0, [0, 4, 0, 0]);
    expect(sent[0]?.bytes).toHaveLength(1472);
    expect(fetchAll()).toEqual(file);
  });

  it("sends again what was not acknowledged, and forgets who has gone", async () => {
    await read("file");
    nowMs = 1500;
    server.tick();
    expect(sent.map(({ bytes }) => number(bytes))).toEqual([1, 1]);
    for (let i = 0; i < 10; i++) {
      nowMs += 1500;
      server.tick();
    }
    expect(server.size).toBe(0);
  });

  it("does not answer old acknowledgments, nor those of others", async () => {
    await read("file");
    const { port } = sent[0] ?? { port: 0 };
    receive(port, [0, 4, 0, 1]);
    receive(port, [0, 4, 0, 1]);
    receive(port, [0, 4, 0, 2], 2001);
    expect(sent.map(({ bytes }) => number(bytes))).toEqual([1, 2]);
  });

  it("has one transfer for a client that asks again, however often, and the same answer", async () => {
    for (let i = 0; i < 6; i++) receive(TFTP_PORT, [0, 1, ...text("file", "octet")]);
    await settled();
    await read("file");
    expect(asked).toEqual(["file"]);
    expect(sent.map(({ bytes }) => [opcode(bytes), number(bytes)])).toEqual([
      [3, 1],
      [3, 1],
    ]);
    expect([new Set(sent.map(({ port }) => port)).size, server.size]).toEqual([1, 1]);
    expect(fetchAll()).toEqual(file);
    await read("file");
    await read("even");
    expect(server.size).toBe(1);
    expect(fetchAll()).toHaveLength(1024);
  });

  it("refuses to write, and what is not there, in words", async () => {
    receive(TFTP_PORT, [0, 2, ...text("file", "octet")]);
    await read("missing");
    await read("broken");
    expect(sent.map(({ bytes }) => [opcode(bytes), Buffer.from(bytes.subarray(4, -1)).toString()])).toEqual([
      [5, "nothing can be written here"],
      [5, "there is no such file"],
      [5, "there is no such file"],
    ]);
    expect(asked).toEqual(["missing", "broken"]);
  });

  it("reads and sends a bounded number of files at a time", async () => {
    for (let from = 1; from <= 10; from++) receive(TFTP_PORT, [0, 1, ...text("file", "octet")], from);
    expect(asked).toHaveLength(4);
    await settled();
    expect([server.size, sent.filter(({ bytes }) => opcode(bytes) === 5).length]).toEqual([4, 6]);
  });

  it("takes any datagram", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 60, max: 65_000 }), (bytes, port) => {
        server.receive(GUEST, 1, port, bytes);
        server.receive(GUEST, 1, TFTP_PORT, bytes);
      }),
      { numRuns: 2000 },
    );
    expect(server.size).toBeLessThanOrEqual(4);
  });
});
