// Slots that open and close while the machine runs, through the registers that the DSDT's methods use.
import { describe, expect, it } from "vitest";
import { HOT_PLUG, HOT_PLUG_PORT, HotPlug } from "../../native-core/devices/acpi/hot-plug.ts";
import { DeviceBench } from "../support/device-bench.ts";

function start() {
  const bench = new DeviceBench();
  const seen = { events: 0, ejected: [] as number[] };
  const device = new HotPlug({
    bus: bench.bus,
    notify: () => void seen.events++,
    ejected: (slot) => void seen.ejected.push(slot),
  });
  const read = (offset: number) => bench.bus.readPort(HOT_PLUG_PORT + offset, 4);
  const eject = (slot: number) => bench.bus.writePort(HOT_PLUG_PORT + HOT_PLUG.EJECT, 4, (1 << slot) >>> 0);
  return { device, seen, read, eject };
}

describe("The hot-plug registers", () => {
  it("tell once of a slot where something was plugged in", () => {
    const { device, seen, read } = start();
    device.plugged(9);
    expect(seen.events).toBe(1);
    expect(read(HOT_PLUG.PLUGGED)).toBe(1 << 9);
    expect(read(HOT_PLUG.PLUGGED)).toBe(0);
    expect(read(HOT_PLUG.SLOTS)).toBe(0x02ff_ff00);
  });

  it("ask for a slot until the guest lets go of it, and let it have no other", () => {
    const { device, seen, read, eject } = start();
    device.askToRemove(17);
    expect(read(HOT_PLUG.REMOVE)).toBe(1 << 17);
    eject(9);
    expect(seen.ejected).toEqual([]);
    eject(17);
    eject(17);
    expect(seen.ejected).toEqual([17]);
    expect(read(HOT_PLUG.REMOVE)).toBe(0);
  });

  it("let go at a reset of what was asked for", () => {
    const { device, seen } = start();
    device.plugged(8);
    device.askToRemove(8);
    device.reset();
    expect(seen.ejected).toEqual([8]);
    expect(device.save()).toEqual({ plugged: 0, remove: 0 });
  });

  it("keep over a saved state what the guest has still to do", () => {
    const { device } = start();
    device.plugged(10);
    device.askToRemove(11);
    const copy = start();
    copy.device.restore(copy.device.stateSchema.parse(device.save()));
    expect(copy.read(HOT_PLUG.PLUGGED)).toBe(1 << 10);
    copy.eject(11);
    expect(copy.seen.ejected).toEqual([11]);
  });
});
