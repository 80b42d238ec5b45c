import { describe, expect, it } from "vitest";
import { GENERATION_ID_BASE, GenerationId } from "../../native-core/devices/generation-id/generation-id.ts";
import { DeviceBench } from "../support/device-bench.ts";

const ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

function make(id: Uint8Array | undefined) {
  const bench = new DeviceBench();
  let notified = 0;
  const device = new GenerationId({ bus: bench.bus, id, notify: () => void notified++ });
  return { bench, device, notified: () => notified };
}

describe("the VM generation ID", () => {
  it("is 16 bytes at its address that the guest can't change", () => {
    const { bench } = make(ID);
    expect(bench.read32(GENERATION_ID_BASE)).toBe(0x04030201);
    bench.bus.writeMmio(GENERATION_ID_BASE, 4, 0);
    expect(bench.read32(GENERATION_ID_BASE + 12)).toBe(0x100f0e0d);
    expect(bench.read32(GENERATION_ID_BASE + 16)).toBe(0);
  });

  it("is announced once after a restore of a state that knew another one", () => {
    const { bench, device, notified } = make(ID);
    device.restore({ id: new Uint8Array(16) });
    expect(notified()).toBe(0);
    device.announce();
    device.announce();
    expect(notified()).toBe(1);
    expect(bench.read32(GENERATION_ID_BASE)).toBe(0x04030201);
  });

  it("is not announced when a saved machine goes on", () => {
    const { device, notified } = make(ID);
    device.restore(device.save());
    device.announce();
    expect(notified()).toBe(0);
  });

  it("is that of the state where the host gives none", () => {
    const { bench, device, notified } = make(undefined);
    device.restore({ id: ID });
    device.announce();
    expect([bench.read32(GENERATION_ID_BASE), notified()]).toEqual([0x04030201, 0]);
  });

  it("of another length is refused", () => {
    expect(make(ID).device.stateSchema.safeParse({ id: new Uint8Array(8) }).success).toBe(false);
  });
});
