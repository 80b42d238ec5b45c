import { describe, expect, it } from "vitest";
import { VirtioConsole } from "../../native-core/devices/virtio/console/virtio-console.ts";
import { VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { DEVICE_CONFIG, DriverQueue, VirtioBench } from "./virtio-support.ts";

const F_SIZE = 1n;
const F_MULTIPORT = 2n;
const BUFFER = 0x20000;

function start(features: bigint) {
  const output: string[] = [];
  const decode = (bytes: Uint8Array) => output.push(new TextDecoder().decode(bytes));
  const model = new VirtioConsole([
    { terminal: true, output: decode },
    { terminal: false, name: "org.terrarium.agent", output: (bytes) => decode(bytes) },
  ]);
  const b = new VirtioBench(() => model);
  expect(b.negotiate(VIRTIO_F_VERSION_1 | features)).toBe(true);
  const queues = [0, 1, 2, 3, 4, 5].map((index) => new DriverQueue(b, index, 16).setUp());
  b.driverOk();
  const queue = (index: number) => queues[index] as DriverQueue;
  const offer = (index: number, at: number, length = 256) => {
    queue(index).add([{ address: at, length, writable: true }]);
    queue(index).notify();
  };
  const send = (index: number, bytes: Uint8Array) => {
    b.memory.bytes.set(bytes, 0x30000);
    queue(index).add([{ address: 0x30000, length: bytes.length }]);
    queue(index).notify();
  };
  const text = (at: number, length: number) => new TextDecoder().decode(b.memory.bytes.subarray(at, at + length));
  return { model, b, output, queue, offer, send, text };
}

function control(port: number, event: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, port, true);
  bytes[4] = event;
  bytes[6] = value;
  return bytes;
}

describe("virtio-console port 0 (5.3.6)", () => {
  it("carries output and input", () => {
    const { model, output, queue, offer, send, text } = start(F_SIZE);
    send(1, new TextEncoder().encode("login: "));
    expect(output).toEqual(["login: "]);
    model.receive(0, new TextEncoder().encode("root\n"));
    expect(queue(0).usedIndex).toBe(0);
    offer(0, BUFFER);
    expect(queue(0).usedElement(0).length).toBe(5);
    expect(text(BUFFER, 5)).toBe("root\n");
  });

  it("splits input over the driver's buffers and refuses what it can't hold", () => {
    const { model, queue, offer, text } = start(F_SIZE);
    expect(model.receive(0, new TextEncoder().encode("abcdef"))).toBe(6);
    offer(0, BUFFER, 4);
    offer(0, BUFFER + 16, 4);
    expect(queue(0).usedIndex).toBe(2);
    expect(text(BUFFER, 4) + text(BUFFER + 16, 2)).toBe("abcdef");
    expect(model.receive(0, new Uint8Array(100_000))).toBe(65_536);
    expect(model.receive(0, new Uint8Array(1))).toBe(0);
  });

  it("writes an emergency character before any set-up", () => {
    const output: number[] = [];
    const b = new VirtioBench(() => new VirtioConsole([{ terminal: true, output: (bytes) => output.push(...bytes) }]));
    b.device.write(DEVICE_CONFIG + 8, 4, 0x41);
    expect(output).toEqual([0x41]);
  });

  it("announces a new size through the configuration without multiport", () => {
    const { model, b } = start(F_SIZE);
    model.resize(132, 43);
    expect(b.device.read(DEVICE_CONFIG, 2)).toBe(132);
    expect(b.device.read(DEVICE_CONFIG + 2, 2)).toBe(43);
    expect(b.device.read(0x1000, 1)).toBe(2);
  });
});

describe("virtio-console multiport (5.3.6.2)", () => {
  it("introduces its ports, names and sizes them", () => {
    const { b, model, queue, offer, send } = start(F_SIZE | F_MULTIPORT);
    for (let i = 0; i < 10; i++) offer(2, BUFFER + i * 256);
    send(3, control(0xffff_ffff, 0, 1));
    send(3, control(0, 3, 1));
    send(3, control(1, 3, 1));
    model.resize(100, 40);
    const seen: [number, number][] = [];
    for (let i = 0; i < queue(2).usedIndex; i++) {
      seen.push([b.memory.readU32(BUFFER + i * 256), b.memory.readU16(BUFFER + i * 256 + 4)]);
    }
    expect(seen).toEqual([
      [0, 1],
      [1, 1],
      [0, 4],
      [0, 6],
      [0, 5],
      [1, 7],
      [1, 6],
      [0, 5],
    ]);
    expect(b.memory.readU16(BUFFER + 7 * 256 + 8)).toBe(100);
    expect(b.memory.readU16(BUFFER + 7 * 256 + 10)).toBe(40);
  });

  it("keeps control messages until the driver has room", () => {
    const { queue, offer, send } = start(F_MULTIPORT);
    send(3, control(0, 0, 1));
    expect(queue(2).usedIndex).toBe(0);
    offer(2, BUFFER);
    offer(2, BUFFER + 256);
    expect(queue(2).usedIndex).toBe(2);
  });

  it("carries a named channel on queues 4 and 5", () => {
    const { model, output, queue, offer, send, text } = start(F_MULTIPORT);
    send(5, new TextEncoder().encode("hello"));
    expect(output).toEqual(["hello"]);
    model.receive(1, new TextEncoder().encode("ack"));
    offer(4, BUFFER);
    expect(text(BUFFER, 3)).toBe("ack");
    expect(queue(4).usedIndex).toBe(1);
  });

  it("saves waiting input and control messages", () => {
    const { model, b, send } = start(F_MULTIPORT);
    send(3, control(0, 0, 1));
    model.receive(0, Uint8Array.of(1, 2, 3));
    const state = b.device.stateSchema.parse(structuredClone(b.device.save()));
    const other = new VirtioBench(
      () =>
        new VirtioConsole([
          { terminal: true, output() {} },
          { terminal: false, output() {} },
        ]),
      b.memory,
    );
    other.device.restore(state);
    expect(other.device.save()).toEqual(state);
  });
});
