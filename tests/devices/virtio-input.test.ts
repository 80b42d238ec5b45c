import { describe, expect, it } from "vitest";
import { VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { VirtioKeyboard } from "../../native-core/devices/virtio/input/virtio-keyboard.ts";
import { VirtioTablet } from "../../native-core/devices/virtio/input/virtio-tablet.ts";
import { DEVICE_CONFIG, DriverQueue, VirtioBench } from "./virtio-support.ts";

const BUFFER = 0x20000;
const STATUS = 0x30000;

function start<T extends VirtioTablet | VirtioKeyboard>(model: T) {
  const b = new VirtioBench(() => model);
  b.negotiate(VIRTIO_F_VERSION_1);
  const queue = new DriverQueue(b, 0, 16).setUp();
  const status = new DriverQueue(b, 1, 8).setUp();
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
  const tell = (type: number, code: number, value: number, length = 8) => {
    b.memory.writeU16(STATUS, type);
    b.memory.writeU16(STATUS + 2, code);
    b.memory.writeU32(STATUS + 4, value);
    status.add([{ address: STATUS, length }]);
    status.notify();
    return status.usedIndex;
  };
  return { model, b, offer, events, select, tell };
}

describe("virtio-input tablet (5.8)", () => {
  it("describes its axes, buttons and wheel", () => {
    const { select } = start(new VirtioTablet());
    expect(new TextDecoder().decode(Uint8Array.from(select(1, 0)))).toBe("Terrarium tablet");
    expect(select(0x11, 3)).toEqual([3]);
    expect(select(0x11, 2)).toEqual([0, 1]);
    expect(select(0x11, 1).slice(-1)).toEqual([7]);
    expect(select(0x12, 0).slice(4, 8)).toEqual([0xff, 0x7f, 0, 0]);
    expect(select(0x12, 5)).toEqual([]);
    expect(select(0x77, 1)).toEqual([]);
  });

  it("reports position, changed buttons and wheel in one packet", () => {
    const { model: tablet, offer, events } = start(new VirtioTablet());
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
    const { model: tablet, offer, events } = start(new VirtioTablet());
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
    const { model: tablet, b, offer } = start(new VirtioTablet());
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

describe("virtio-input keyboard (5.8)", () => {
  const [ESC, A, RIGHT_CTRL, PAUSE] = [0x01, 0x1e, 0x9d, 0xc5];
  const press = (keyboard: VirtioKeyboard, ...keys: number[]) => {
    for (const key of keys) for (const down of [true, false]) keyboard.key(key, down);
  };
  const codesOf = (bits: number[]) =>
    bits.flatMap((byte, at) => Array.from({ length: 8 }, (_, bit) => (byte & (1 << bit) ? [8 * at + bit] : [])).flat());

  it("describes its keys, lights and that the guest repeats", () => {
    const { select } = start(new VirtioKeyboard());
    expect(new TextDecoder().decode(Uint8Array.from(select(1, 0)))).toBe("Terrarium keyboard");
    const keys = codesOf(select(0x11, 1));
    // Esc to F12, keypad Enter to Delete, Pause and the keys of a system: a desktop knows it for a keyboard by the first 31.
    expect(keys).toEqual(expect.arrayContaining([...Array.from({ length: 83 }, (_, at) => at + 1), 86, 87, 88]));
    expect(keys).toEqual(expect.arrayContaining([96, 97, 99, 100, 102, 111, 119, 125, 127, 183, 194]));
    expect(codesOf(select(0x11, 0x11))).toEqual([0, 1, 2]);
    expect(select(0x11, 0x14)).toEqual([3]);
    expect([select(0x11, 2), select(0x11, 3), select(0x12, 0)]).toEqual([[], [], []]);
  });

  it("sends each key as a packet, and no key that there is not", () => {
    const { model, offer, events } = start(new VirtioKeyboard());
    offer(16);
    press(model, A, 0x54, 0x1ff, RIGHT_CTRL, PAUSE);
    expect(events().filter(([type]) => type === 1)).toEqual([
      ...[30, 97, 119].flatMap((code) => [
        [1, code, 1],
        [1, code, 0],
      ]),
    ]);
    expect(events().filter(([type]) => type === 0)).toHaveLength(6);
  });

  it("keeps the order of keys that a driver has no room for, also in a saved state", () => {
    const { model, b, offer, events } = start(new VirtioKeyboard());
    press(model, A, ESC);
    offer(3);
    const saved = b.device.stateSchema.parse(structuredClone(b.device.save()));
    expect(saved.model).toMatchObject({ waiting: [{ code: 30, down: false }, { code: 1 }, { code: 1 }] });
    const later = new VirtioBench(() => new VirtioKeyboard(), b.memory);
    later.device.restore(saved);
    expect(later.device.save()).toEqual(saved);
    offer(7);
    expect(events().filter(([type]) => type === 1)).toEqual([
      [1, 30, 1],
      [1, 30, 0],
      [1, 1, 1],
      [1, 1, 0],
    ]);
  });

  it("loses presses rather than releases when nobody takes them, and all when the driver starts anew", () => {
    const { model, b } = start(new VirtioKeyboard());
    for (let at = 0; at < 1000; at++) model.key(A, true);
    for (let at = 0; at < 10; at++) model.key(A, false);
    const waiting = () => (b.device.save().model as { waiting: { down: boolean }[] }).waiting;
    expect(waiting()).toHaveLength(138);
    for (let at = 0; at < 1000; at++) model.key(A, false);
    expect(waiting()).toHaveLength(256);
    b.status = 0;
    expect(waiting()).toEqual([]);
    press(model, A);
    expect([model.active, waiting().length]).toEqual([false, 0]);
  });

  it("lights what the driver says, and takes what it can't use", () => {
    const { model, tell } = start(new VirtioKeyboard());
    tell(0x11, 0, 1);
    tell(0x11, 1, 1);
    expect(model.leds).toBe(0b110);
    tell(0x11, 2, 1);
    tell(0x11, 1, 0);
    expect(model.leds).toBe(0b011);
    tell(0x11, 9, 1);
    tell(0x14, 0, 250);
    expect(tell(0x11, 0, 0, 4)).toBe(7);
    expect(model.leds).toBe(0b011);
  });
});
