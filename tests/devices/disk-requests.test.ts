// Which reads are answered on the spot: they cost the vCPU the time they take.
import { describe, expect, it } from "vitest";
import { DiskRequests } from "../../native-core/devices/disk-requests.ts";
import { DmaBuffer } from "../../native-core/devices/dma-buffer.ts";
import { TestDisk } from "../support/test-disk.ts";
import { TestMemory } from "./virtio-support.ts";

const LARGE = 256 << 10;
const SMALL = 4096;
const BUDGET = 1 << 20;

function start() {
  const guest = { isIdle: false };
  const memory = new TestMemory(BUDGET);
  const disk = new TestDisk(BUDGET);
  disk.atHand = true;
  const arrived: (() => void)[] = [];
  const requests = new DiskRequests({
    backend: disk,
    deliver: (apply) => void arrived.push(apply),
    isIdle: () => guest.isIdle,
    maxBytesInFlight: BUDGET,
    progressed: () => {},
  });
  /** Whether a read ended in the notification itself; it has ended when this settles. */
  const readsNow = async (length: number): Promise<boolean> => {
    let done = false;
    const end = () => {
      done = true;
    };
    requests.notified();
    const target = new DmaBuffer(memory, [{ address: 0, length }], true);
    requests.submit({ kind: "read", offset: 0, length, memory: target }, end);
    const now = done;
    while (!done) {
      await Promise.resolve();
      for (const apply of arrived.splice(0)) apply();
    }
    return now;
  };
  const readMany = async (count: number): Promise<boolean[]> => {
    const found: boolean[] = [];
    for (let n = 0; n < count; n++) found.push(await readsNow(LARGE));
    return found;
  };
  return { guest, requests, readsNow, readMany };
}

describe("Reads of a disk that has them at hand", () => {
  it("are answered at once when they are small, until a notification's budget is used up", async () => {
    const { readsNow, requests } = start();
    expect(await readsNow(SMALL)).toBe(true);
    let atOnce = 0;
    const memory = new DmaBuffer(new TestMemory(), [{ address: 0, length: 128 << 10 }], true);
    requests.notified();
    for (let n = 0; n < 10; n++) {
      requests.submit({ kind: "read", offset: 0, length: 128 << 10, memory }, () => atOnce++);
    }
    expect(atOnce).toBe(BUDGET / (128 << 10));
  });

  it("are answered at once when they are large and the guest only waits for them, with a look at it now and then", async () => {
    const { guest, readMany } = start();
    expect(await readMany(3)).toEqual([false, false, false]);
    guest.isIdle = true;
    expect(await readMany(35)).toEqual([false, ...Array.from({ length: 32 }, () => true), false, true]);
    guest.isIdle = false;
    expect((await readMany(40)).lastIndexOf(true)).toBe(30);
  });
});
