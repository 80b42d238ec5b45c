import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { IoHandler } from "../../native-core/devices/device.ts";
import { PlainVram } from "../../native-core/devices/vga/vram.ts";
import { COMMON_CONFIG, VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { GPU_CMD, GPU_RESP, VIRTIO_GPU_F_EDID } from "../../native-core/devices/virtio/gpu/protocol.ts";
import { Resource } from "../../native-core/devices/virtio/gpu/resource.ts";
import { VirtioGpu } from "../../native-core/devices/virtio/gpu/virtio-gpu.ts";
import { VirtioVga } from "../../native-core/devices/virtio/gpu/virtio-vga.ts";
import { DeviceBench } from "../support/device-bench.ts";
import { DEVICE_CONFIG, DriverQueue, TestMemory, VirtioBench } from "./virtio-support.ts";

const REQUEST = 0x8000;
const RESPONSE = 0x9000;
const RESPONSE_BYTES = 0x800;
const FRAME = 0x10000;
const BGRX = 2;
const BGRA = 1;

class GpuBench {
  readonly bench: VirtioBench;
  readonly gpu: VirtioGpu;
  readonly control: DriverQueue;
  readonly cursor: DriverQueue;

  constructor() {
    const memory = new TestMemory();
    this.gpu = new VirtioGpu(memory, { width: 1024, height: 768 });
    this.bench = new VirtioBench(() => this.gpu, memory);
    this.bench.negotiate(VIRTIO_F_VERSION_1 | VIRTIO_GPU_F_EDID);
    this.control = new DriverQueue(this.bench, 0, 16).setUp();
    this.cursor = new DriverQueue(this.bench, 1, 16).setUp();
    this.bench.driverOk();
  }

  get memory(): TestMemory {
    return this.bench.memory;
  }

  /** Sends header and words; the type of the response. */
  send(type: number, words: readonly number[] = [], fence?: bigint): number {
    this.memory.bytes.fill(0, REQUEST, REQUEST + 24);
    this.memory.writeU32(REQUEST, type);
    if (fence !== undefined) {
      this.memory.writeU32(REQUEST + 4, 1);
      this.memory.writeU64(REQUEST + 8, fence);
    }
    words.forEach((word, index) => this.memory.writeU32(REQUEST + 24 + index * 4, word));
    const queue = type >= GPU_CMD.UPDATE_CURSOR ? this.cursor : this.control;
    queue.add([
      { address: REQUEST, length: 24 + words.length * 4 },
      { address: RESPONSE, length: RESPONSE_BYTES, writable: true },
    ]);
    queue.notify();
    return this.memory.readU32(RESPONSE);
  }

  /** A resource with a frame in guest memory behind it, in two pieces. */
  makeFrame(id: number, width: number, height: number, format = BGRX): void {
    const half = (width * height * 4) / 2;
    expect(this.send(GPU_CMD.RESOURCE_CREATE_2D, [id, format, width, height])).toBe(GPU_RESP.OK_NODATA);
    const backing = [FRAME + half, 0, half, 0, FRAME, 0, half, 0];
    expect(this.send(GPU_CMD.RESOURCE_ATTACH_BACKING, [id, 2, ...backing])).toBe(GPU_RESP.OK_NODATA);
  }

  show(id: number, x: number, y: number, width: number, height: number): number {
    return this.send(GPU_CMD.SET_SCANOUT, [x, y, width, height, 0, id]);
  }

  transfer(id: number, x: number, y: number, width: number, height: number, offset: number): number {
    return this.send(GPU_CMD.TRANSFER_TO_HOST_2D, [x, y, width, height, offset, 0, id, 0]);
  }

  flush(id: number, x: number, y: number, width: number, height: number): number {
    return this.send(GPU_CMD.RESOURCE_FLUSH, [x, y, width, height, id, 0]);
  }

  get picture(): Uint32Array {
    const { width, height } = this.gpu.scanout.size();
    const pixels = new Uint32Array(width * height);
    this.gpu.scanout.render(pixels, true);
    return pixels;
  }
}

describe("the adapter that is a VGA and a virtio-gpu", () => {
  function make() {
    const bench = new DeviceBench();
    return new VirtioVga({
      ...{ bus: bench.bus, clock: bench.clock, vram: new PlainVram(4 << 20), memory: new TestMemory() },
      ...{ deliver: () => undefined, monitor: { width: 800, height: 600 }, rom: romOf(0x1234, 0x1111) },
    });
  }
  /** An option ROM with its checksum, for an adapter with these numbers. */
  function romOf(vendor: number, device: number): Uint8Array {
    const rom = new Uint8Array(512);
    const view = new DataView(rom.buffer);
    rom.set([0x55, 0xaa, 1]);
    view.setUint16(0x18, 0x20, true);
    view.setUint32(0x20, 0x52494350, true);
    view.setUint16(0x24, vendor, true);
    view.setUint16(0x26, device, true);
    rom[6] = -rom.reduce((sum, byte) => sum + byte, 0) & 0xff;
    return rom;
  }

  it("shows the VGA's picture until a driver shows one", () => {
    const adapter = make();
    expect(adapter.display.size()).toEqual({ width: 720, height: 400 });
    const resource = new Resource(1, BGRX, 64, 32);
    resource.pixels.fill(0x00ff_0000);
    adapter.gpu.scanout.show(resource, { x: 0, y: 0, width: 64, height: 32 });
    const pixels = new Uint32Array(64 * 32);
    expect(adapter.display.render(pixels, false).length).toBeGreaterThan(0);
    expect([adapter.display.size().width, pixels[0]]).toEqual([64, 0xff00_00ff]);
    adapter.reset();
    expect(adapter.display.size()).toEqual({ width: 720, height: 400 });
  });

  it("saves what it accepts again", () => {
    const adapter = make();
    const state = structuredClone(adapter.save());
    expect(adapter.stateSchema.safeParse(state).success).toBe(true);
    const other = make();
    other.restore(state);
    expect(other.save()).toEqual(state);
  });

  it("has the VGA BIOS under its own numbers, with a right checksum", () => {
    const adapter = make();
    let image: IoHandler | undefined;
    adapter.pci.connect({
      messages: { send: () => undefined },
      map: (_kind, base, _length, handler) => {
        if (base === 0xc000_0000) image = handler;
        return { unmap() {} };
      },
      setInterrupt() {},
      decodingChanged() {},
    });
    adapter.pci.writeConfig(0x30, 4, 0xc000_0001);
    adapter.pci.writeConfig(0x04, 2, 2);
    const bytes = Array.from({ length: 512 }, (_, at) => image?.read(at, 1) ?? 0);
    expect(bytes.slice(0x24, 0x28)).toEqual([0xf4, 0x1a, 0x50, 0x10]);
    expect(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
  });
});

describe("virtio-gpu (5.7)", () => {
  let g: GpuBench;

  beforeEach(() => {
    g = new GpuBench();
  });

  it("shows a rectangle of a resource that was transferred from scattered memory", () => {
    g.makeFrame(7, 64, 32);
    // Line 16 begins the second half of the picture, which lies first in memory.
    g.memory.writeU32(FRAME, 0x0011_2233);
    g.memory.writeU32(FRAME + 64 * 16 * 4, 0x00aa_bbcc);
    expect(g.transfer(7, 0, 0, 64, 32, 0)).toBe(GPU_RESP.OK_NODATA);
    expect(g.show(7, 0, 0, 64, 32)).toBe(GPU_RESP.OK_NODATA);
    const { picture } = g;
    expect([picture[0], picture[64 * 16]]).toEqual([0xffcc_bbaa, 0xff33_2211]);
  });

  it("draws only what was flushed since the last look", () => {
    g.makeFrame(1, 64, 32);
    g.show(1, 0, 0, 64, 32);
    const pixels = g.picture;
    g.memory.bytes.fill(0x80, FRAME, FRAME + 64 * 32 * 4);
    g.transfer(1, 16, 0, 16, 16, 64);
    g.transfer(1, 32, 16, 16, 16, (16 * 64 + 32) * 4);
    g.flush(1, 16, 0, 16, 16);
    expect(g.gpu.scanout.render(pixels, false)).toEqual([{ x: 16, y: 0, width: 16, height: 16 }]);
    expect([pixels[15], pixels[16], pixels[16 * 64 + 32]]).toEqual([0xff00_0000, 0xff80_8080, 0xff00_0000]);
    expect(g.gpu.scanout.render(pixels, false)).toEqual([]);
  });

  it.each([
    [1, 0xff11_2233, 0xff33_2211],
    [3, 0x3322_11ff, 0xff33_2211],
    [67, 0xff33_2211, 0xff33_2211],
    [68, 0x1122_33ff, 0xff33_2211],
  ])("knows pixel format %i", (format, word, expected) => {
    g.makeFrame(1, 16, 16, format);
    g.memory.writeU32(FRAME + 16 * 8 * 4, word);
    g.transfer(1, 0, 0, 16, 16, 0);
    g.show(1, 0, 0, 16, 16);
    expect(g.picture[0]).toBe(expected);
  });

  it("has a pointer beside the picture, with its place, look and hot spot", () => {
    g.makeFrame(1, 128, 128);
    g.show(1, 0, 0, 128, 128);
    const before = g.picture;
    expect(g.gpu.scanout.cursor).toBeUndefined();
    expect(g.send(GPU_CMD.RESOURCE_CREATE_2D, [2, BGRA, 64, 64])).toBe(GPU_RESP.OK_NODATA);
    g.send(GPU_CMD.RESOURCE_ATTACH_BACKING, [2, 1, FRAME, 0, 64 * 64 * 4, 0]);
    g.memory.writeU32(FRAME, 0xffff_0000);
    g.memory.writeU32(FRAME + 64 * 32 * 4, 0x8000_0080);
    g.transfer(2, 0, 0, 64, 64, 0);
    g.send(GPU_CMD.UPDATE_CURSOR, [0, 12, 10, 0, 2, 2, 1, 0]);
    const first = g.gpu.scanout.cursor;
    expect(first).toMatchObject({ x: 12, y: 10, shape: { width: 64, height: 64, hotX: 2, hotY: 1 } });
    expect([first?.shape.pixels[0], first?.shape.pixels[64 * 32]]).toEqual([0xff00_00ff, 0x8080_0000]);
    g.send(GPU_CMD.MOVE_CURSOR, [0, 62, 60, 0, 0, 0, 0, 0]);
    expect(g.gpu.scanout.cursor).toEqual({ shape: first?.shape, x: 62, y: 60 });
    expect(g.gpu.scanout.cursor?.shape).toBe(first?.shape);
    expect(g.picture).toEqual(before);
    g.send(GPU_CMD.UPDATE_CURSOR, [0, 62, 60, 0, 0, 0, 0, 0]);
    expect(g.gpu.scanout.cursor).toBeUndefined();
  });

  it("answers fences with the command that they belong to", () => {
    expect(g.send(GPU_CMD.GET_DISPLAY_INFO, [], 77n)).toBe(GPU_RESP.OK_DISPLAY_INFO);
    expect([g.memory.readU32(RESPONSE + 4), g.memory.readU64(RESPONSE + 8)]).toEqual([1, 77n]);
  });

  it("tells the driver of a monitor with another size, in display information and EDID", () => {
    const generation = g.bench.device.read(COMMON_CONFIG.CONFIG_GENERATION, 1);
    g.gpu.resize({ width: 1603, height: 900 });
    expect(g.bench.device.read(COMMON_CONFIG.CONFIG_GENERATION, 1)).toBe(generation + 1);
    expect(g.bench.device.read(DEVICE_CONFIG, 4)).toBe(1);
    g.bench.device.write(DEVICE_CONFIG + 4, 4, 1);
    expect(g.bench.device.read(DEVICE_CONFIG, 4)).toBe(0);
    g.send(GPU_CMD.GET_DISPLAY_INFO);
    expect([8, 12, 16].map((at) => g.memory.readU32(RESPONSE + 24 + at))).toEqual([1600, 900, 1]);
    expect(g.send(GPU_CMD.GET_EDID, [0, 0])).toBe(GPU_RESP.OK_EDID);
    const edid = RESPONSE + 32;
    const hActive = (g.memory.bytes[edid + 56] ?? 0) | (((g.memory.bytes[edid + 58] ?? 0) >> 4) << 8);
    expect(hActive).toBe(1600);
  });

  it.each([
    ["a resource that is not there", GPU_CMD.RESOURCE_FLUSH, [0, 0, 1, 1, 9, 0], GPU_RESP.ERR_INVALID_RESOURCE_ID],
    ["another scanout", GPU_CMD.SET_SCANOUT, [0, 0, 1, 1, 1, 1], GPU_RESP.ERR_INVALID_SCANOUT_ID],
    ["more than a resource has", GPU_CMD.SET_SCANOUT, [60, 0, 10, 10, 0, 1], GPU_RESP.ERR_INVALID_PARAMETER],
    ["a resource twice", GPU_CMD.RESOURCE_CREATE_2D, [1, 1, 4, 4], GPU_RESP.ERR_INVALID_RESOURCE_ID],
    ["an unknown format", GPU_CMD.RESOURCE_CREATE_2D, [2, 9, 4, 4], GPU_RESP.ERR_INVALID_PARAMETER],
    ["memory outside RAM", GPU_CMD.RESOURCE_ATTACH_BACKING, [3, 1, 0, 1, 64, 0], GPU_RESP.ERR_INVALID_PARAMETER],
    ["more entries than there are", GPU_CMD.RESOURCE_ATTACH_BACKING, [3, 9, 0, 0], GPU_RESP.ERR_INVALID_PARAMETER],
    ["an unknown command", 0x1ff, [], GPU_RESP.ERR_UNSPEC],
  ])("refuses %s", (_, type, words, response) => {
    g.makeFrame(1, 64, 32);
    g.send(GPU_CMD.RESOURCE_CREATE_2D, [3, 1, 4, 4]);
    expect(g.send(type, words)).toBe(response);
  });

  it("refuses more pixels than it has memory for", () => {
    const results = [1, 2, 3, 4, 5].map((id) => g.send(GPU_CMD.RESOURCE_CREATE_2D, [id, 1, 4096, 4096]));
    expect(results).toEqual([...Array(4).fill(GPU_RESP.OK_NODATA), GPU_RESP.ERR_OUT_OF_MEMORY]);
    g.send(GPU_CMD.RESOURCE_UNREF, [3, 0]);
    expect(g.send(GPU_CMD.RESOURCE_CREATE_2D, [5, 1, 64, 64])).toBe(GPU_RESP.OK_NODATA);
  });

  it("goes on exactly from a saved state", () => {
    g.makeFrame(1, 64, 32);
    g.memory.bytes.fill(0x42, FRAME, FRAME + 64 * 32 * 4);
    g.transfer(1, 0, 0, 64, 32, 0);
    g.show(1, 0, 0, 64, 32);
    const state = structuredClone(g.bench.device.save());
    expect(g.bench.device.stateSchema.safeParse(state).success).toBe(true);
    const other = new GpuBench();
    other.memory.bytes.set(g.memory.bytes);
    other.bench.device.restore(state);
    expect(other.picture).toEqual(g.picture);
    expect(other.bench.device.save()).toEqual(state);
  });

  it("survives whatever a driver puts into its queues", () => {
    const word = fc.oneof(fc.nat(8), fc.nat(4096), fc.integer({ min: 0, max: 0xffff_ffff }));
    const type = fc.oneof(fc.constantFrom(...Object.values(GPU_CMD)), word);
    const command = fc.tuple(type, fc.array(word, { maxLength: 16 }));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 24 }), (commands) => {
        const bench = new GpuBench();
        bench.send(GPU_CMD.RESOURCE_CREATE_2D, [1, 1, 64, 64]);
        for (const [kind, words] of commands) bench.send(kind, words);
        const { width, height } = bench.gpu.scanout.size();
        expect(width * height).toBeLessThanOrEqual(4096 * 4096);
        bench.gpu.scanout.render(new Uint32Array(Math.min(width * height, 1 << 20)), true);
        expect(bench.gpu.stateSchema.safeParse(bench.gpu.save()).success).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});
