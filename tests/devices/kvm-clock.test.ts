import { describe, expect, it } from "vitest";
import {
  KvmClock,
  MSR_KVM_SYSTEM_TIME_NEW,
  MSR_KVM_WALL_CLOCK_NEW,
} from "../../native-core/devices/kvm-clock/kvm-clock.ts";
import { DeviceBench, SECOND } from "../support/device-bench.ts";
import { TestMemory } from "./virtio-support.ts";

const PAGE = 0x1000;
const STABLE = 1;
const STOPPED = 2;
const HOUR_MS = 3_600_000;

function make(offsets = [0n]) {
  const bench = new DeviceBench();
  const memory = new TestMemory(0x4000);
  const { clock, inputs } = bench;
  const device = new KvmClock({
    memory,
    clock,
    inputs,
    tscOffsets: offsets.map((_, index) => () => offsets[index] ?? 0n),
  });
  device.reset();
  const enable = (vcpu = 0) => device.writeMsr(vcpu, MSR_KVM_SYSTEM_TIME_NEW, BigInt(PAGE + vcpu * 64) | 1n);
  /** What a guest makes of a page with its time-stamp counter. */
  const guestNs = (vcpu = 0) => {
    const at = PAGE + vcpu * 64;
    const counter = clock.nowNs() + (offsets[vcpu] ?? 0n);
    const ticks = BigInt.asUintN(64, counter - memory.readU64(at + 8)) << BigInt(memory.readU32(at + 28) & 0xff);
    return memory.readU64(at + 16) + ((ticks * BigInt(memory.readU32(at + 24))) >> 32n);
  };
  const flags = (vcpu = 0) => (memory.readU32(PAGE + vcpu * 64 + 28) >>> 8) & 0xff;
  return { bench, memory, device, offsets, enable, guestNs, flags };
}

describe("kvmclock", () => {
  it("tells nanoseconds since power-on by the time-stamp counter, with even versions", () => {
    const { bench, memory, enable, guestNs, flags } = make();
    bench.advance(5n * SECOND);
    enable();
    expect(guestNs()).toBe(5n * SECOND);
    bench.advance(SECOND + 7n);
    expect(guestNs()).toBe(6n * SECOND + 7n);
    expect([memory.readU32(PAGE) & 1, flags()]).toEqual([0, STABLE]);
  });

  it("tells the date of power-on", () => {
    const { bench, memory, device } = make();
    const powerOn = bench.wallClockMs;
    bench.advance(3n * SECOND);
    device.writeMsr(0, MSR_KVM_WALL_CLOCK_NEW, BigInt(PAGE));
    expect([memory.readU32(PAGE + 4), memory.readU32(PAGE + 8)]).toEqual([Math.floor(powerOn / 1000), 0]);
    expect(memory.readU32(PAGE)).toBe(2);
  });

  it("goes on with the host's wall clock after the host slept, once, and tells the guest that it stood still", () => {
    const { bench, device, memory, enable, guestNs, flags } = make();
    enable();
    const version = memory.readU32(PAGE);
    bench.wallClockMs += HOUR_MS;
    device.catchUp();
    device.catchUp();
    expect(guestNs()).toBe(BigInt(HOUR_MS) * 1_000_000n);
    expect(flags()).toBe(STABLE | STOPPED);
    expect(memory.readU32(PAGE)).toBe(version + 2);
  });

  it("adds up pauses too short to move for", () => {
    const { bench, device, enable, guestNs } = make();
    enable();
    for (let pause = 0; pause < 10; pause++) {
      bench.wallClockMs += 90;
      device.catchUp();
    }
    expect(Number(guestNs())).toBeGreaterThanOrEqual(650e6);
    expect(Number(guestNs())).toBeLessThanOrEqual(900e6);
  });

  it("never goes back with a wall clock that is set back, and follows it from there", () => {
    const { bench, device, enable, guestNs } = make();
    enable();
    bench.wallClockMs -= HOUR_MS;
    device.catchUp();
    expect(guestNs()).toBe(0n);
    bench.wallClockMs += 5000;
    device.catchUp();
    expect(guestNs()).toBe(5n * SECOND);
  });

  it("counts the time since a state was saved", () => {
    const { bench, device, enable } = make();
    enable();
    const state = device.save();
    const later = make();
    later.bench.wallClockMs = bench.wallClockMs + 72 * HOUR_MS;
    later.device.restore(state);
    later.device.catchUp();
    expect(later.guestNs()).toBe(BigInt(72 * HOUR_MS) * 1_000_000n);
  });

  it("is told to be the same on all vCPUs only while their counters are", () => {
    const { device, offsets, enable, guestNs, flags, bench } = make([0n, 0n]);
    enable(0);
    enable(1);
    expect([flags(0), flags(1)]).toEqual([STABLE, STABLE]);
    offsets[1] = 1_000_000n;
    device.counterMoved();
    bench.advance(SECOND);
    expect([flags(0), flags(1)]).toEqual([0, 0]);
    expect([guestNs(0), guestNs(1)]).toEqual([SECOND, SECOND]);
  });

  it("takes pages outside RAM for none, and knows no other register", () => {
    const { device } = make();
    expect(device.writeMsr(0, MSR_KVM_SYSTEM_TIME_NEW, 0xffff_ffff_ffff_f001n)).toBe(true);
    expect(device.writeMsr(0, MSR_KVM_WALL_CLOCK_NEW, 0x3ffcn)).toBe(true);
    expect(device.readMsr(0, MSR_KVM_WALL_CLOCK_NEW)).toBe(0x3ffcn);
    expect([device.readMsr(0, 0x4b564d02), device.writeMsr(0, 0x4b564d02, 0n)]).toEqual([undefined, false]);
  });

  it("keeps within 63 bits whatever the wall clock does", () => {
    const { bench, device, enable, guestNs } = make();
    enable();
    for (let jump = 0; jump < 3; jump++) {
      bench.wallClockMs += 4e15;
      device.catchUp();
    }
    expect(guestNs() < 1n << 62n).toBe(true);
    expect(device.stateSchema.safeParse(device.save()).success).toBe(true);
  });
});
