import { describe, expect, it } from "vitest";
import {
  COMMON_CONFIG,
  DEVICE_STATUS,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from "../../native-core/devices/virtio/constants.ts";
import { VirtioRng } from "../../native-core/devices/virtio/rng/virtio-rng.ts";
import { DriverQueue, ISR, VirtioBench } from "./virtio-support.ts";

function bench(): VirtioBench {
  let next = 0;
  return new VirtioBench(
    () => new VirtioRng({ random: (bytes) => bytes.forEach((_, i) => (bytes[i] = ++next & 0xff)) }),
  );
}

function running(features = VIRTIO_F_VERSION_1, vector = 0xffff): { b: VirtioBench; queue: DriverQueue } {
  const b = bench();
  b.negotiate(features);
  const queue = new DriverQueue(b, 0, 8).setUp(vector);
  b.driverOk();
  return { b, queue };
}

describe("virtio PCI capabilities (4.1.4)", () => {
  it("lists common, ISR, notify and PCI access structures behind a modern device ID", () => {
    const { pci } = bench().device;
    expect(pci.readConfig(0, 2)).toBe(0x1af4);
    expect(pci.readConfig(2, 2)).toBe(0x1044);
    const types: number[] = [];
    for (let at = pci.readConfig(0x34, 1); at !== 0; at = pci.readConfig(at + 1, 1)) {
      if (pci.readConfig(at, 1) === 0x09) types.push(pci.readConfig(at + 3, 1));
    }
    expect(new Set(types)).toEqual(new Set([1, 2, 3, 5]));
  });

  it("reaches registers through the PCI access window without a BAR", () => {
    const b = bench();
    const { pci } = b.device;
    let window = 0;
    for (let at = pci.readConfig(0x34, 1); at !== 0; at = pci.readConfig(at + 1, 1)) {
      if (pci.readConfig(at, 1) === 0x09 && pci.readConfig(at + 3, 1) === 5) window = at;
    }
    pci.writeConfig(window + 4, 1, 4);
    pci.writeConfig(window + 8, 4, COMMON_CONFIG.DEVICE_STATUS);
    pci.writeConfig(window + 12, 4, 1);
    pci.writeConfig(window + 16, 1, DEVICE_STATUS.ACKNOWLEDGE);
    expect(b.status).toBe(DEVICE_STATUS.ACKNOWLEDGE);
    b.status = DEVICE_STATUS.ACKNOWLEDGE | DEVICE_STATUS.DRIVER;
    expect(pci.readConfig(window + 16, 1)).toBe(3);
  });
});

describe("device status and feature negotiation (2.1, 2.2)", () => {
  it("refuses FEATURES_OK without VERSION_1 and with features that were not offered", () => {
    expect(bench().negotiate(0n)).toBe(false);
    expect(bench().negotiate(VIRTIO_F_VERSION_1 | (1n << 50n))).toBe(false);
    expect(bench().negotiate(VIRTIO_F_VERSION_1)).toBe(true);
  });

  it("consumes nothing before DRIVER_OK, and what is already there at DRIVER_OK", () => {
    const b = bench();
    b.negotiate(VIRTIO_F_VERSION_1);
    const queue = new DriverQueue(b, 0, 8).setUp();
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(queue.usedIndex).toBe(0);
    b.driverOk();
    expect(queue.usedIndex).toBe(1);
  });

  it("stops at FAILED until it is reset", () => {
    const { b, queue } = running();
    b.status = b.status | DEVICE_STATUS.FAILED;
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(queue.usedIndex).toBe(0);
    b.status = 0;
    expect(b.status).toBe(0);
  });

  it("reads an unknown vector back as none", () => {
    const b = bench();
    b.device.write(COMMON_CONFIG.CONFIG_MSIX_VECTOR, 2, 1);
    expect(b.device.read(COMMON_CONFIG.CONFIG_MSIX_VECTOR, 2)).toBe(1);
    b.device.write(COMMON_CONFIG.CONFIG_MSIX_VECTOR, 2, 77);
    expect(b.device.read(COMMON_CONFIG.CONFIG_MSIX_VECTOR, 2)).toBe(0xffff);
  });

  it("takes only powers of two up to the maximum as queue size", () => {
    const b = bench();
    for (const size of [0, 3, 16, 0xffff]) {
      b.device.write(COMMON_CONFIG.QUEUE_SIZE, 2, size);
      expect(b.device.read(COMMON_CONFIG.QUEUE_SIZE, 2)).toBe(8);
    }
    b.device.write(COMMON_CONFIG.QUEUE_SIZE, 2, 4);
    expect(b.device.read(COMMON_CONFIG.QUEUE_SIZE, 2)).toBe(4);
  });
});

describe("interrupts", () => {
  it("uses the INTx line and the ISR byte without MSI-X", () => {
    const { b, queue } = running();
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(b.line).toBe(true);
    expect(b.device.read(ISR, 1)).toBe(1);
    expect(b.line).toBe(false);
    expect(b.device.read(ISR, 1)).toBe(0);
  });

  it("sends the queue's MSI-X message instead once that is on", () => {
    const b = bench();
    b.enableMsix(2);
    b.negotiate(VIRTIO_F_VERSION_1);
    const queue = new DriverQueue(b, 0, 8).setUp(1);
    b.driverOk();
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(b.messages).toEqual([1]);
    expect(b.line).toBe(false);
    expect(b.device.read(ISR, 1)).toBe(0);
  });

  it("obeys NO_INTERRUPT without EVENT_IDX (2.7.7)", () => {
    const { b, queue } = running();
    b.memory.writeU16(queue.driver, 1);
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(queue.usedIndex).toBe(1);
    expect(b.line).toBe(false);
  });

  it("interrupts only when the used index passes used_event with EVENT_IDX (2.7.10)", () => {
    const { b, queue } = running(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    queue.usedEvent = 1;
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(b.line).toBe(false);
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    expect(b.line).toBe(true);
    expect(queue.availEvent).toBe(2);
  });
});

describe("split virtqueue (2.7)", () => {
  it("scatters into several descriptors and reports the bytes written", () => {
    const { b, queue } = running();
    const head = queue.add([
      { address: 0x8000, length: 3, writable: true },
      { address: 0x9000, length: 2, writable: true },
    ]);
    queue.notify();
    expect(queue.usedElement(0)).toEqual({ id: head, length: 5 });
    expect([...b.memory.bytes.subarray(0x8000, 0x8004)]).toEqual([1, 2, 3, 0]);
    expect([...b.memory.bytes.subarray(0x9000, 0x9003)]).toEqual([4, 5, 0]);
  });

  it("follows an indirect table when that was negotiated", () => {
    const { queue } = running(VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC);
    queue.writeDescriptor(0xa000, 0, 0x8000, 4, 2 | 1, 1);
    queue.writeDescriptor(0xa000, 1, 0x9000, 4, 2, 0);
    queue.writeDescriptor(queue.descriptors, 3, 0xa000, 32, 4, 0);
    queue.offer(3);
    queue.notify();
    expect(queue.usedElement(0)).toEqual({ id: 3, length: 8 });
  });

  it("wraps its 16-bit indices", () => {
    const { queue } = running();
    for (let i = 0; i < 70_000; i++) {
      queue.add([{ address: 0x8000, length: 1, writable: true }]);
      queue.notify();
    }
    expect(queue.usedIndex).toBe(70_000 & 0xffff);
  });

  const hostile: [string, (queue: DriverQueue) => void][] = [
    ["a chain that loops", (q) => q.writeDescriptor(q.descriptors, 0, 0x8000, 4, 1, 0)],
    ["a next index outside the table", (q) => q.writeDescriptor(q.descriptors, 0, 0x8000, 4, 1, 500)],
    ["a buffer outside RAM", (q) => q.writeDescriptor(q.descriptors, 0, 0x7fff_f000, 4, 2, 0)],
    ["an empty buffer", (q) => q.writeDescriptor(q.descriptors, 0, 0x8000, 0, 2, 0)],
    ["an indirect table that was not negotiated", (q) => q.writeDescriptor(q.descriptors, 0, 0xa000, 16, 4, 0)],
    [
      "a readable descriptor after a writable one",
      (q) => {
        q.writeDescriptor(q.descriptors, 0, 0x8000, 4, 3, 1);
        q.writeDescriptor(q.descriptors, 1, 0x8000, 4, 0, 0);
      },
    ],
  ];
  it.each(hostile)("asks for a reset on %s", (_title, spoil) => {
    const { b, queue } = running();
    spoil(queue);
    queue.offer(0);
    queue.notify();
    expect(b.status & DEVICE_STATUS.DEVICE_NEEDS_RESET).toBeTruthy();
    expect(b.device.read(ISR, 1)).toBe(2);
    expect(b.warnings).toHaveLength(1);
    expect(queue.usedIndex).toBe(0);
    // A reset brings it back.
    b.negotiate(VIRTIO_F_VERSION_1);
    const fresh = new DriverQueue(b, 0, 8, 0x20000).setUp();
    b.driverOk();
    fresh.add([{ address: 0x8000, length: 4, writable: true }]);
    fresh.notify();
    expect(fresh.usedIndex).toBe(1);
  });

  it("asks for a reset when the available index runs ahead of the ring", () => {
    const { b, queue } = running();
    b.memory.writeU16(queue.driver + 2, 9);
    queue.notify();
    expect(b.status & DEVICE_STATUS.DEVICE_NEEDS_RESET).toBeTruthy();
  });

  it("asks for a reset when a queue is enabled outside RAM", () => {
    const b = bench();
    b.negotiate(VIRTIO_F_VERSION_1);
    new DriverQueue(b, 0, 8, 0xffff_0000).setUp();
    expect(b.status & DEVICE_STATUS.DEVICE_NEEDS_RESET).toBeTruthy();
  });

  it("resets one queue alone (2.6.1)", () => {
    const { b, queue } = running(VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET);
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    b.device.write(COMMON_CONFIG.QUEUE_SELECT, 2, 0);
    b.device.write(COMMON_CONFIG.QUEUE_RESET, 2, 1);
    expect(b.device.read(COMMON_CONFIG.QUEUE_RESET, 2)).toBe(0);
    expect(b.device.read(COMMON_CONFIG.QUEUE_ENABLE, 2)).toBe(0);
    const again = new DriverQueue(b, 0, 8, 0x20000).setUp();
    again.add([{ address: 0x8000, length: 4, writable: true }]);
    again.notify();
    expect(again.usedIndex).toBe(1);
  });
});

describe("saved state", () => {
  it("continues a ring where it was", () => {
    const { b, queue } = running();
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    queue.notify();
    const state = b.device.stateSchema.parse(structuredClone(b.device.save()));
    const other = new VirtioBench(() => new VirtioRng({ random: (bytes) => bytes.fill(9) }), b.memory);
    other.device.restore(state);
    other.applyDelivered();
    expect(other.device.save()).toEqual(state);
    queue.add([{ address: 0x8000, length: 4, writable: true }]);
    other.device.write(0x3000, 2, 0);
    expect(queue.usedIndex).toBe(2);
    expect(b.memory.bytes[0x8000]).toBe(9);
  });

  it("refuses values out of range", () => {
    const { b } = running();
    const state = b.device.save();
    const spoiled = { ...state, transport: { ...state.transport, status: 4096 } };
    expect(b.device.stateSchema.safeParse(spoiled).success).toBe(false);
  });
});
