// fw_cfg through its ports (QEMU docs/specs/fw_cfg.rst), and the ROM below 4 GiB.
import { describe, expect, it } from "vitest";
import { FwCfg } from "../../native-core/devices/fw-cfg/fw-cfg.ts";
import { FirmwareRom } from "../../native-core/devices/rom/rom.ts";
import { DeviceBench } from "../support/device-bench.ts";
import { FakeMemory } from "../support/fake-processor.ts";

const SELECTOR = 0x510;
const DATA = 0x511;
const DMA = 0x514;
const KEY_DIRECTORY = 0x19;
const CONTROL = { ERROR: 1, READ: 2, SKIP: 4, SELECT: 8, WRITE: 16 };

function build() {
  const bench = new DeviceBench();
  const memory = new FakeMemory(1 << 20);
  const device = new FwCfg(bench.bus, memory, {
    items: new Map([[5, Uint8Array.of(4, 0)]]),
    files: new Map([
      ["etc/second", Uint8Array.of(1, 2, 3, 4, 5)],
      ["etc/first", new TextEncoder().encode("hello")],
    ]),
  });
  const select = (key: number) => bench.bus.writePort(SELECTOR, 2, key);
  const read = (count: number) => Uint8Array.from({ length: count }, () => bench.in8(DATA));
  const dma = (control: number, length: number, address: number): number => {
    const view = new DataView(memory.bytes.buffer);
    view.setUint32(0x100, control);
    view.setUint32(0x104, length);
    view.setBigUint64(0x108, BigInt(address));
    bench.out32(DMA, 0);
    bench.out32(DMA + 4, 0x00010000);
    return view.getUint32(0x100);
  };
  return { bench, memory, device, select, read, dma };
}

/** Name to [key, size]. */
function directory(bytes: Uint8Array): Map<string, [number, number]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const entries = Array.from({ length: view.getUint32(0) }, (_, index) => {
    const at = 4 + index * 64;
    const name = String.fromCharCode(...bytes.subarray(at + 8, at + 64)).replace(/\0.*/, "");
    return [name, [view.getUint16(at + 4), view.getUint32(at)]] as const;
  });
  return new Map(entries.map(([name, entry]) => [name, [...entry]]));
}

describe("fw_cfg", () => {
  it("identifies itself, with DMA", () => {
    const { bench, select, read } = build();
    select(0);
    expect(String.fromCharCode(...read(4))).toBe("QEMU");
    select(1);
    expect(read(4)).toEqual(Uint8Array.of(3, 0, 0, 0));
    const signature = [0, 4].flatMap((at) => {
      const value = bench.in32(DMA + at);
      return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
    });
    expect(String.fromCharCode(...signature)).toBe("QEMU CFG");
  });

  it("lists files by name, and reads zeroes behind their ends and for keys without item", () => {
    const { select, read } = build();
    select(KEY_DIRECTORY);
    const files = directory(read(4 + 2 * 64));
    expect([...files.keys()]).toEqual(["etc/first", "etc/second"]);
    expect(files.get("etc/second")?.[1]).toBe(5);
    select(files.get("etc/second")?.[0] ?? 0);
    expect(read(7)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 0, 0));
    select(0x7777);
    expect(read(2)).toEqual(Uint8Array.of(0, 0));
  });

  it("selects, skips and reads by DMA, and refuses to be written", () => {
    const { memory, dma, select, read } = build();
    select(KEY_DIRECTORY);
    const key = directory(read(4 + 2 * 64)).get("etc/first")?.[0] ?? 0;
    expect(dma((key << 16) | CONTROL.SELECT | CONTROL.SKIP, 2, 0)).toBe(0);
    memory.bytes.fill(0xcc, 0x8000, 0x8010);
    expect(dma(CONTROL.READ, 6, 0x8000)).toBe(0);
    expect(memory.bytes.subarray(0x8000, 0x8007)).toEqual(Uint8Array.of(0x6c, 0x6c, 0x6f, 0, 0, 0, 0xcc));
    expect(dma(CONTROL.WRITE, 1, 0x8000)).toBe(CONTROL.ERROR);
    expect(dma(CONTROL.READ, 0xffffffff, 0x8000)).toBe(CONTROL.ERROR);
  });

  it("goes on reading where it stood after a saved state", () => {
    const { device, select, read } = build();
    select(5);
    read(1);
    const copy = build();
    copy.device.restore(structuredClone(device.save()));
    expect(copy.read(1)).toEqual(Uint8Array.of(0));
    select(0);
    copy.device.restore(device.save());
    expect(String.fromCharCode(...copy.read(4))).toBe("QEMU");
  });
});

describe("The firmware ROM", () => {
  it("ends at 4 GiB and can't be written", () => {
    const { bus } = new DeviceBench();
    const image = Uint8Array.from({ length: 0x10000 }, (_, index) => index);
    void new FirmwareRom(bus, image);
    bus.writeMmio(0xfffffff0, 4, 0);
    expect(bus.readMmio(0xfffffff0, 4)).toBe(0xf3f2f1f0);
    expect(bus.readMmio(0xffff0001, 1)).toBe(1);
    expect(bus.readMmio(0xfffefffc, 4)).toBe(0xffffffff);
  });
});
