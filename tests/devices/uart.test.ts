import { beforeEach, describe, expect, it } from "vitest";
import { Uart } from "../../native-core/devices/uart/uart.ts";
import { DeviceBench, Probe } from "../support/device-bench.ts";

const PORT = 0x3f8;
const IER = PORT + 1;
const IIR = PORT + 2;
const LCR = PORT + 3;
const MCR = PORT + 4;
const LSR = PORT + 5;
const MSR = PORT + 6;

describe("The 16550A", () => {
  let bench: DeviceBench;
  let irq: Probe;
  let uart: Uart;
  let sent: number[];
  const text = (value: string) => new TextEncoder().encode(value);

  beforeEach(() => {
    bench = new DeviceBench();
    irq = new Probe();
    sent = [];
    uart = new Uart(0, bench.bus, irq, { write: (byte) => sent.push(byte) });
    uart.reset();
    bench.out8(MCR, 0x08);
    bench.out8(IIR, 0x01);
  });

  it("sends at once and is ready for more", () => {
    bench.out8(PORT, 0x48, 0x69);
    expect(String.fromCharCode(...sent)).toBe("Hi");
    expect(bench.in8(LSR)).toBe(0x60);
  });

  it("raises transmitter-empty after each byte and when enabled, until IIR is read", () => {
    bench.out8(IER, 0x02);
    expect([irq.level, bench.in8(IIR), irq.level, bench.in8(IIR)]).toEqual([true, 0xc2, false, 0xc1]);
    bench.out8(PORT, 0x41);
    expect([irq.level, bench.in8(IIR)]).toEqual([true, 0xc2]);
  });

  it("feeds input through a FIFO of 16 bytes and loses none of a long paste", () => {
    const paste = text("x".repeat(40));
    expect(uart.receive(paste)).toBe(40);
    expect(uart.save().fifo.length).toBe(16);
    let count = 0;
    while (bench.in8(LSR) & 1) {
      expect(bench.in8(PORT)).toBe(0x78);
      count++;
    }
    expect(count).toBe(40);
  });

  it("reports the trigger level, and a timeout below it", () => {
    bench.out8(IIR, 0x81);
    bench.out8(IER, 0x01);
    uart.receive(text("abc"));
    expect([irq.level, bench.in8(IIR)]).toEqual([true, 0xcc]);
    uart.receive(text("defgh"));
    expect(bench.in8(IIR)).toBe(0xc4);
    for (let index = 0; index < 8; index++) bench.in8(PORT);
    expect(irq.level).toBe(false);
  });

  it("keeps quiet unless OUT2 lets interrupts through", () => {
    bench.out8(MCR, 0x00);
    bench.out8(IER, 0x01);
    uart.receive(text("a"));
    expect(irq.level).toBe(false);
    bench.out8(MCR, 0x08);
    expect(irq.level).toBe(true);
  });

  it("has a divisor latch behind the data registers", () => {
    bench.out8(LCR, 0x83);
    bench.out8(PORT, 0x01);
    bench.out8(IER, 0x00);
    expect([bench.in8(PORT), bench.in8(IER)]).toEqual([0x01, 0x00]);
    bench.out8(LCR, 0x03);
    expect([sent.length, bench.in8(LCR)]).toEqual([0, 0x03]);
  });

  it("returns what it sends in loopback, and its outputs as modem inputs", () => {
    bench.out8(MCR, 0x1a);
    expect(bench.in8(MSR) & 0xf0).toBe(0x90);
    bench.out8(PORT, 0x5a);
    expect([sent.length, bench.in8(LSR) & 1, bench.in8(PORT)]).toEqual([0, 1, 0x5a]);
  });

  it("shows a peer that is there: CTS, DSR and carrier", () => {
    bench.in8(MSR);
    expect(bench.in8(MSR)).toBe(0xb0);
  });

  it("tells a 16550A from older parts by IIR and has a scratch register", () => {
    expect(bench.in8(IIR) & 0xc0).toBe(0xc0);
    bench.out8(PORT + 7, 0xa5);
    expect(bench.in8(PORT + 7)).toBe(0xa5);
    bench.out8(IIR, 0x00);
    expect(bench.in8(IIR) & 0xc0).toBe(0);
  });

  it("refuses more than a megabyte of backlog", () => {
    expect(uart.receive(new Uint8Array(2 << 20))).toBe(1 << 20);
  });

  it("keeps unread input over save and restore", () => {
    uart.receive(text("hello, this is longer than the FIFO"));
    const state = uart.stateSchema.parse(uart.save());
    uart.reset();
    uart.restore(state);
    let read = "";
    while (bench.in8(LSR) & 1) read += String.fromCharCode(bench.in8(PORT));
    expect(read).toBe("hello, this is longer than the FIFO");
  });
});
