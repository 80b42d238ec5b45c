// The devices that kvm-unit-tests expects beside a PC: an exit port, a few ports and a page to read and write, and wires to raise
// interrupts (QEMU docs/specs: isa-debug-exit, pc-testdev).
import { byteWide } from "../../native-core/devices/bus.ts";
import type { InterruptLine } from "../../native-core/devices/device.ts";
import type { Machine } from "../../native-core/machine/machine.ts";

const PORTS = { DATA: 0xe0, FLUSH: 0xe4, EXIT: 0xf4, LINES: 0x2000 } as const;
const MEMORY = { base: 0xff00_0000, bytes: 0x1_0000 } as const;
const LINE_COUNT = 24;
const ISA_LINES = 16;

export function attachTestDevice(machine: Machine, exit: (code: number) => void): void {
  const { bus, board } = machine;
  const data = new Uint8Array(4);
  const window = new Uint8Array(MEMORY.bytes);
  bus.mapPorts(PORTS.DATA, 4, bytesOf(data));
  bus.mapPorts(PORTS.FLUSH, 4, { read: () => 0, write: () => {} });
  bus.mapPorts(PORTS.EXIT, 4, { read: () => 0, write: (_, __, value) => exit(value) });
  bus.mapMmio(MEMORY.base, MEMORY.bytes, bytesOf(window));
  const lines = Array.from({ length: LINE_COUNT }, (_, n): InterruptLine[] => [
    board.ioapic.line(n),
    ...(n < ISA_LINES ? [board.pic.line(n)] : []),
  ]);
  bus.mapPorts(PORTS.LINES, LINE_COUNT, {
    read: () => 0,
    write: (offset, _, value) => {
      for (const line of lines[offset] ?? []) line.set((value & 1) !== 0);
      for (const vcpu of machine.vcpus) vcpu.interruptChanged();
    },
  });
}

const bytesOf = (bytes: Uint8Array) =>
  byteWide(
    (offset) => bytes[offset] ?? 0xff,
    (offset, value) => {
      bytes[offset] = value;
    },
  );
