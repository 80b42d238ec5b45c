// The host side of a serial port: scroll-back, live output, log, and clients that don't keep up.
import { readFileSync, statSync } from "node:fs";
import { Duplex } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { LogFile } from "../../../native-core/host/log-file.ts";
import { SerialConsole } from "../../../native-core/host/serial-console.ts";
import { CONSOLE_SCROLLBACK_BYTES } from "../../../native-core/protocol/engine.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("serial");
afterAll(() => folder.remove());

/** A client whose socket takes bytes only while `open`. */
class Client extends Duplex {
  text = "";
  open = true;
  #waiting: (() => void) | undefined;

  constructor() {
    super({ writableHighWaterMark: 1024 });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.text += bytes.toString("latin1");
    if (this.open) done();
    else this.#waiting = done;
  }

  release(): void {
    this.open = true;
    this.#waiting?.();
  }
}

function print(console: SerialConsole, text: string): void {
  for (const byte of Buffer.from(text, "latin1")) console.write(byte);
  console.flush();
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const NOTHING = new Uint8Array(0);

describe("a serial console", () => {
  it("gives clients what was printed before, a tail client only what comes", async () => {
    const console = new SerialConsole(() => undefined, undefined);
    print(console, "before ");
    const [whole, tail] = [new Client(), new Client()];
    console.attach(whole, false, NOTHING);
    console.attach(tail, true, NOTHING);
    for (const byte of Buffer.from("after")) console.write(byte);
    await turn();
    await turn();
    expect([whole.text, tail.text]).toEqual(["before after", "after"]);
  });

  it("keeps the last mebibyte", async () => {
    const console = new SerialConsole(() => undefined, undefined);
    print(console, "gone");
    print(console, "x".repeat(CONSOLE_SCROLLBACK_BYTES - 5));
    print(console, "newest");
    const client = new Client();
    console.attach(client, false, NOTHING);
    while (client.text.length < CONSOLE_SCROLLBACK_BYTES) await turn();
    expect(client.text).toHaveLength(CONSOLE_SCROLLBACK_BYTES);
    expect(client.text.startsWith("x")).toBe(true);
    expect(client.text.endsWith("newest")).toBe(true);
  });

  it("is not held up by a client that takes nothing, which continues where the ring begins", async () => {
    const console = new SerialConsole(() => undefined, undefined);
    const [slow, fast] = [new Client(), new Client()];
    slow.open = false;
    console.attach(slow, false, NOTHING);
    console.attach(fast, false, NOTHING);
    let printed = 0;
    for (; printed < 3 * CONSOLE_SCROLLBACK_BYTES; printed += 65536) {
      print(console, "y".repeat(65536));
      await turn();
    }
    while (fast.text.length < printed) await turn();
    expect(fast.text).toHaveLength(printed);
    slow.release();
    print(console, "end");
    while (!slow.text.endsWith("end")) await turn();
    expect(slow.text.length).toBeLessThan(CONSOLE_SCROLLBACK_BYTES + 200_000);
  });

  it("types what clients send, also what came with the channel line", async () => {
    const typed: string[] = [];
    const console = new SerialConsole((bytes) => typed.push(Buffer.from(bytes).toString()), undefined);
    const client = new Client();
    console.attach(client, false, Buffer.from("first"));
    client.push("second");
    await turn();
    expect(typed).toEqual(["first", "second"]);
  });

  it("logs everything, and turns the file over at its limit", async () => {
    const path = folder.file("ttyS0.log");
    const log = new LogFile(path, (error) => {
      throw error;
    });
    const console = new SerialConsole(() => undefined, log);
    print(console, "hello ");
    print(console, "log");
    await log.close();
    expect(readFileSync(path, "utf8")).toBe("hello log");
    expect(readFileSync(`${path}.times`, "utf8")).toMatch(/^\d{13} 0\n$/);
    const long = new LogFile(path, () => undefined);
    for (let n = 0; n < 20; n++) {
      long.append(Buffer.alloc(1 << 20, 65));
      await turn();
      while (statSync(path).size < 9) await turn();
    }
    await long.close();
    expect(statSync(path).size).toBeLessThan(20 << 20);
  });

  it("goes on without its log when that can't be written", async () => {
    let failures = 0;
    const log = new LogFile(folder.path, () => failures++);
    const console = new SerialConsole(() => undefined, log);
    print(console, "a");
    print(console, "b");
    await log.close();
    expect(failures).toBe(1);
  });
});
