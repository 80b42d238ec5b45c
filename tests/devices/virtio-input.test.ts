import { describe, expect, it } from "vitest";
import { VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { VirtioTablet } from "../../native-core/devices/virtio/input/virtio-tablet.ts";
import { DEVICE_CONFIG, DriverQueue, VirtioBench } from "./virtio-support.ts";

const BUFFER = 0x20000;

function start() {
  const tablet = new VirtioTablet();
  const b = new VirtioBench(() => tablet);
  b.negotiate(VIRTIO_F_VERSION_1);
  const queue = new DriverQueue(b, 0, 16).setUp();
  new DriverQueue(b, 1, 8).setUp();
  b.driverOk();
  let offered = 0;
  const offer = (count: number) => {
    for (let i = 0; i < count; i++) {
      queue.add([{ address: BUFFER + 8 * offered++, length: 8, writable: true }]);
    }
    queue.notify();
  };
  const events = () =>
    Array.from({ length: queue.usedIndex }, (_, at) => [
      b.memory.readU16(BUFFER + 8 * at),
      b.memory.readU16(BUFFER + 8 * at + 2),
      b.memory.view.getInt32(BUFFER + 8 * at + 4, true),
    ]);
  const select = (selector: number, subselector: number) => {
    b.device.write(DEVICE_CONFIG, 1, selector);
    b.device.write(DEVICE_CONFIG + 1, 1, subselector);
    const size = b.device.read(DEVICE_CONFIG + 2, 1);
    return Array.from({ length: size }, (_, at) => b.device.read(DEVICE_CONFIG + 8 + at, 1));
  };
  return { tablet, b, offer, events, select };
}

describe("virtio-input tablet (5.8)", () => {
  it("describes its axes, buttons and wheel", () => {
    const { select } = start();
    expect(new TextDecoder().decode(Uint8Array.from(select(1, 0)))).toBe("Terrarium tablet");
    expect(select(0x11, 3)).toEqual([3]);
    expect(select(0x11, 2)).toEqual([0, 1]);
    expect(select(0x11, 1).slice(-1)).toEqual([7]);
    expect(select(0x12, 0).slice(4, 8)).toEqual([0xff, 0x7f, 0, 0]);
    expect(select(0x12, 5)).toEqual([]);
    expect(select(0x77, 1)).toEqual([]);
  });

  it("reports position, changed buttons and wheel in one packet", () => {
    const { tablet, offer, events } = start();
    offer(12);
    tablet.report({ x: 0.5, y: 1, buttons: 1, wheel: 0 });
    tablet.report({ x: 0, y: 2, buttons: 1, wheel: 1 });
    expect(events()).toEqual([
      [3, 0, 0x4000],
      [3, 1, 0x7fff],
      [1, 0x110, 1],
      [0, 0, 0],
      [3, 0, 0],
      [3, 1, 0x7fff],
      [2, 8, -1],
      [0, 0, 0],
    ]);
  });

  it("keeps the latest state while the driver has no room, and never sends half a packet", () => {
    const { tablet, offer, events } = start();
    offer(2);
    tablet.report({ x: 0, y: 0, buttons: 2, wheel: 1 });
    tablet.report({ x: 1, y: 1, buttons: 2, wheel: 1 });
    expect(events()).toEqual([]);
    offer(6);
    expect(events()).toEqual([
      [3, 0, 0x7fff],
      [3, 1, 0x7fff],
      [1, 0x111, 1],
      [2, 8, -2],
      [0, 0, 0],
    ]);
  });

  it("says whether a driver listens, and forgets nothing in a saved state", () => {
    const { tablet, b, offer } = start();
    expect(tablet.active).toBe(true);
    offer(8);
    tablet.report({ x: 0, y: 0, buttons: 5, wheel: 0 });
    const state = b.device.stateSchema.parse(structuredClone(b.device.save()));
    const other = new VirtioBench(() => new VirtioTablet(), b.memory);
    other.device.restore(state);
    expect(other.device.save()).toEqual(state);
    b.status = 0;
    expect(tablet.active).toBe(false);
  });
});
