// virtio-9p (virtio 1.2 5.15) as a driver sees it: its tag, requests and answers in guest memory, resets while the host is busy, and a
// saved state with a request under way. What the server makes of messages is in tests/unit/host/shared-folders.test.ts.
import { describe, expect, it } from "vitest";
import {
  type FileAttributes,
  type FileShare,
  type OpenFile,
  ShareError,
} from "../../native-core/devices/virtio/p9/file-share.ts";
import { T, VERSION } from "../../native-core/devices/virtio/p9/protocol.ts";
import { VirtioP9 } from "../../native-core/devices/virtio/p9/virtio-p9.ts";
import { FieldWriter } from "../../native-core/devices/virtio/p9/wire.ts";
import { DEVICE_CONFIG, DriverQueue, VirtioBench } from "./virtio-support.ts";

const REQUEST = 0x8000;
const ANSWER = 0x9000;
const DATA = 0xa000;
const FEATURES = (1n << 32n) | 1n;

const attributes = (kind: FileAttributes["kind"], sizeBytes = 0): FileAttributes => ({
  ...{ kind, id: 7n, mode: 0o755, links: 1, sizeBytes, blockBytes: 4096, blocks: 0 },
  ...{ accessedNs: 0n, modifiedNs: 0n, changedNs: 0n },
});

/** One file with a content, whose reads end when the test says so. */
function oneFile(content: string) {
  const gate = { reads: [] as (() => void)[] };
  const bytes = new TextEncoder().encode(content);
  const file: Partial<OpenFile> = {
    attributes: async () => attributes("file", bytes.length),
    read: (offset, [target]) =>
      new Promise((resolve) =>
        gate.reads.push(() => {
          target?.set(bytes.subarray(offset, offset + target.length));
          resolve(Math.min(bytes.length - offset, target?.length ?? 0));
        }),
      ),
    close: async () => {},
  };
  const share: Partial<FileShare> = {
    ...{ name: "data", readOnly: true },
    attributes: async (path) => {
      if (path.length === 0) return attributes("folder");
      if (path[0] === "file") return attributes("file", bytes.length);
      throw new ShareError("ENOENT");
    },
    open: async () => file as OpenFile,
  };
  return { share: share as FileShare, gate };
}

function bench(shares: readonly FileShare[]) {
  let model: VirtioP9 | undefined;
  const device = new VirtioBench((deliver) => {
    model = new VirtioP9({ tag: "shared", shares, nowMs: () => 0, deliver });
    return model;
  });
  const queue = new DriverQueue(device, 0, 16);
  const start = (): void => {
    expect(device.negotiate(FEATURES)).toBe(true);
    queue.setUp();
    device.driverOk();
  };
  start();
  const send = (type: number, build: (fields: FieldWriter) => FieldWriter): void => {
    const message = build(new FieldWriter()).finish(type, 5);
    device.memory.write(REQUEST, message);
    queue.add([
      { address: REQUEST, length: message.length },
      // An answer in pieces, as Linux has it: the header apart from the data's pages.
      { address: ANSWER, length: 11, writable: true },
      { address: DATA, length: 0x400, writable: true },
    ]);
    queue.notify();
  };
  const call = async (...request: Parameters<typeof send>): Promise<void> => {
    send(...request);
    await device.settle();
  };
  return { device, queue, send, call, start, model: model as VirtioP9 };
}

async function withOpenFile(content: string) {
  const { share, gate } = oneFile(content);
  const all = bench([share]);
  await all.call(T.VERSION, (fields) => fields.u32(8192).text(VERSION));
  await all.call(T.ATTACH, (fields) => fields.u32(1).u32(0).text("").text("").u32(0));
  await all.call(T.WALK, (fields) => fields.u32(1).u32(2).u16(2).text("data").text("file"));
  await all.call(T.LOPEN, (fields) => fields.u32(2).u32(0));
  const read = () => all.send(T.READ, (fields) => fields.u32(2).u64(0).u32(100));
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await all.device.settle();
  };
  return { ...all, gate, read, until };
}

const text = (device: VirtioBench, at: number, length: number): string =>
  new TextDecoder().decode(device.memory.bytes.subarray(at, at + length));

describe("the device", () => {
  it("has its tag in the configuration space, and offers it", () => {
    const { device } = bench([]);
    expect(device.offeredFeatures() & 1n).toBe(1n);
    expect(device.device.read(DEVICE_CONFIG, 2)).toBe(6);
    const tag = Array.from({ length: 6 }, (_, index) => device.device.read(DEVICE_CONFIG + 2 + index, 1));
    expect(String.fromCharCode(...tag)).toBe("shared");
  });

  it("puts what it reads where the driver's pieces are", async () => {
    const { device, queue, gate, read, until } = await withOpenFile("hello, guest");
    read();
    await until(() => gate.reads.length === 1);
    expect(queue.usedIndex).toBe(4);
    gate.reads[0]?.();
    await device.settle();
    expect(queue.usedElement(4).length).toBe(11 + 12);
    expect(device.memory.readU32(ANSWER)).toBe(23);
    expect(device.memory.readU32(ANSWER + 7)).toBe(12);
    expect(text(device, DATA, 12)).toBe("hello, guest");
  });

  it("waits after a reset until the host has let go of guest memory, and answers nobody", async () => {
    const { device, queue, gate, read, until, start, call } = await withOpenFile("late");
    read();
    await until(() => gate.reads.length === 1);
    device.status = 0;
    expect(device.device.draining).toBe(true);
    start();
    await call(T.VERSION, (fields) => fields.u32(8192).text(VERSION));
    expect(queue.usedIndex).toBe(4);
    gate.reads[0]?.();
    await device.settle();
    expect(device.device.draining).toBe(false);
  });

  it("carries a request out again that was under way in the saved state, and opens its file anew", async () => {
    const { device, gate, read, until, model } = await withOpenFile("again");
    read();
    await until(() => gate.reads.length === 1);
    const state = structuredClone(device.device.save());
    gate.reads[0]?.();
    await model.drain();
    const { share, gate: other } = oneFile("again");
    const copy = bench([share]);
    copy.device.memory.bytes.set(device.memory.bytes);
    copy.device.memory.bytes.fill(0, DATA, DATA + 5);
    copy.device.device.restore(copy.device.device.stateSchema.parse(state));
    while (other.reads.length === 0) await copy.device.settle();
    other.reads[0]?.();
    await copy.device.settle();
    expect(text(copy.device, DATA, 5)).toBe("again");
    expect(copy.device.memory.readU32(ANSWER)).toBe(16);
  });

  it("gives up on a driver whose request has no room for an answer", async () => {
    const { device, queue } = bench([]);
    queue.add([{ address: REQUEST, length: 7 }]);
    queue.notify();
    expect(device.status & 64).toBe(64);
    expect(device.warnings[0]).toContain("no room");
  });

  it("refuses saved states that no driver could have brought about", async () => {
    const { device } = await withOpenFile("");
    const state = device.device.save();
    const withModel = (model: object) => ({ ...state, model: { ...(state.model as object), ...model } });
    const { stateSchema } = device.device;
    expect(stateSchema.safeParse(withModel({})).success).toBe(true);
    expect(stateSchema.safeParse(withModel({ msize: 1 << 30 })).success).toBe(false);
    expect(stateSchema.safeParse(withModel({ fids: [{ fid: 1 }] })).success).toBe(false);
  });
});
