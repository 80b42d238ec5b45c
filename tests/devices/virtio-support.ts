// A tiny virtio driver for tests: guest memory, a machine's end of `deliver`, and a split ring driven as Linux drives it.
import type { GuestMemory, IoHandler } from "../../native-core/devices/device.ts";
import { COMMON_CONFIG, DEVICE_STATUS } from "../../native-core/devices/virtio/constants.ts";
import type { VirtioModel } from "../../native-core/devices/virtio/model.ts";
import { VirtioPciDevice } from "../../native-core/devices/virtio/pci-transport.ts";

export const NOTIFY = 0x3000;
export const ISR = 0x1000;
export const DEVICE_CONFIG = 0x2000;

export class TestMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(sizeBytes = 1 << 20) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(address: number, target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.bytes[address + i] ?? 0xff;
  }

  write(address: number, source: Uint8Array): void {
    for (let i = 0; i < source.length; i++) {
      if (address + i < this.bytes.length) this.bytes[address + i] = source[i] ?? 0;
    }
  }

  lend(address: number, length: number): Uint8Array | undefined {
    return address + length <= this.bytes.length ? this.bytes.subarray(address, address + length) : undefined;
  }

  written(): void {}

  readU16(address: number): number {
    return this.#inside(address, 2) ? this.view.getUint16(address, true) : 0xffff;
  }

  readU32(address: number): number {
    return this.#inside(address, 4) ? this.view.getUint32(address, true) : 0xffff_ffff;
  }

  readU64(address: number): bigint {
    return this.#inside(address, 8) ? this.view.getBigUint64(address, true) : (1n << 64n) - 1n;
  }

  writeU16(address: number, value: number): void {
    if (this.#inside(address, 2)) this.view.setUint16(address, value, true);
  }

  writeU32(address: number, value: number): void {
    if (this.#inside(address, 4)) this.view.setUint32(address, value, true);
  }

  writeU64(address: number, value: bigint): void {
    if (this.#inside(address, 8)) this.view.setBigUint64(address, value, true);
  }

  #inside(address: number, length: number): boolean {
    return address >= 0 && address + length <= this.bytes.length;
  }
}

export interface Buffer {
  readonly address: number;
  readonly length: number;
  readonly writable?: boolean;
}

const MSI_ADDRESS = 0xfee0_0000;
const MSIX_BAR_BASE = 0xfeb0_0000;

/** A virtio device plugged into nothing but a test: register accesses, interrupts seen, completions held until `settle`. */
export class VirtioBench {
  readonly memory: TestMemory;
  readonly device: VirtioPciDevice;
  readonly messages: number[] = [];
  readonly warnings: string[] = [];
  line = false;
  #msixTable: IoHandler | undefined;
  #delivered: (() => void)[] = [];
  readonly deliver = (apply: () => void): void => {
    this.#delivered.push(apply);
  };

  constructor(makeModel: (deliver: (apply: () => void) => void) => VirtioModel, memory = new TestMemory()) {
    this.memory = memory;
    this.device = new VirtioPciDevice({
      name: "virtio-test0",
      model: makeModel(this.deliver),
      memory,
      deliver: this.deliver,
      warn: (message) => this.warnings.push(message),
    });
    this.device.pci.connect({
      messages: { send: (_address, data) => this.messages.push(data) },
      map: (_kind, base, _length, handler) => {
        if (base === MSIX_BAR_BASE) this.#msixTable = handler;
        return { unmap() {} };
      },
      setInterrupt: (level) => {
        this.line = level;
      },
      decodingChanged() {},
    });
    this.device.reset();
    this.device.pci.writeConfig(0x14, 4, MSIX_BAR_BASE);
    this.device.pci.writeConfig(0x04, 2, 0x0006);
  }

  /** Applies what the host side delivered. Returns how many completions there were. */
  applyDelivered(): number {
    const ready = this.#delivered.splice(0);
    for (const apply of ready) apply();
    return ready.length;
  }

  /** Lets pending promises of the backend finish and applies their completions, until nothing more comes. */
  async settle(): Promise<void> {
    do {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    } while (this.applyDelivered() > 0);
  }

  get status(): number {
    return this.device.read(COMMON_CONFIG.DEVICE_STATUS, 1);
  }

  set status(value: number) {
    this.device.write(COMMON_CONFIG.DEVICE_STATUS, 1, value);
  }

  offeredFeatures(): bigint {
    let features = 0n;
    for (const select of [0, 1]) {
      this.device.write(COMMON_CONFIG.DEVICE_FEATURE_SELECT, 4, select);
      features |= BigInt(this.device.read(COMMON_CONFIG.DEVICE_FEATURE, 4)) << BigInt(32 * select);
    }
    return features;
  }

  negotiate(features: bigint): boolean {
    this.status = 0;
    this.status = DEVICE_STATUS.ACKNOWLEDGE;
    this.status = DEVICE_STATUS.ACKNOWLEDGE | DEVICE_STATUS.DRIVER;
    for (const select of [0, 1]) {
      this.device.write(COMMON_CONFIG.DRIVER_FEATURE_SELECT, 4, select);
      this.device.write(COMMON_CONFIG.DRIVER_FEATURE, 4, Number((features >> BigInt(32 * select)) & 0xffff_ffffn));
    }
    this.status = this.status | DEVICE_STATUS.FEATURES_OK;
    return (this.status & DEVICE_STATUS.FEATURES_OK) !== 0;
  }

  driverOk(): void {
    this.status = this.status | DEVICE_STATUS.DRIVER_OK;
  }

  /** Turns MSI-X on; vector `n` is unmasked and sends `n` as its data. */
  enableMsix(vectors: number): void {
    for (let vector = 0; vector < vectors; vector++) {
      this.#msixTable?.write(vector * 16, 4, MSI_ADDRESS);
      this.#msixTable?.write(vector * 16 + 8, 4, vector);
      this.#msixTable?.write(vector * 16 + 12, 4, 0);
    }
    const { pci } = this.device;
    let at = pci.readConfig(0x34, 1);
    while (pci.readConfig(at, 1) !== 0x11) at = pci.readConfig(at + 1, 1);
    pci.writeConfig(at + 2, 2, 0x8000);
  }
}

/** The driver's side of one split ring, at fixed places in guest memory. */
export class DriverQueue {
  readonly bench: VirtioBench;
  readonly index: number;
  readonly size: number;
  readonly descriptors: number;
  readonly driver: number;
  readonly used: number;
  #nextDescriptor = 0;
  #availIndex = 0;

  constructor(bench: VirtioBench, index: number, size = 16, base = 0x1000 + index * 0x2000) {
    this.bench = bench;
    this.index = index;
    this.size = size;
    this.descriptors = base;
    this.driver = base + 0x1000;
    this.used = base + 0x1800;
  }

  setUp(vector = 0xffff): this {
    const { device } = this.bench;
    device.write(COMMON_CONFIG.QUEUE_SELECT, 2, this.index);
    device.write(COMMON_CONFIG.QUEUE_SIZE, 2, this.size);
    device.write(COMMON_CONFIG.QUEUE_MSIX_VECTOR, 2, vector);
    device.write(COMMON_CONFIG.QUEUE_DESC, 4, this.descriptors);
    device.write(COMMON_CONFIG.QUEUE_DRIVER, 4, this.driver);
    device.write(COMMON_CONFIG.QUEUE_DEVICE, 4, this.used);
    device.write(COMMON_CONFIG.QUEUE_ENABLE, 2, 1);
    return this;
  }

  writeDescriptor(table: number, index: number, address: number, length: number, flags: number, next: number): void {
    const at = table + index * 16;
    const { memory } = this.bench;
    memory.writeU64(at, BigInt(address));
    memory.writeU32(at + 8, length);
    memory.writeU16(at + 12, flags);
    memory.writeU16(at + 14, next);
  }

  /** Makes a chain of buffers available and returns its head. */
  add(buffers: readonly Buffer[]): number {
    const head = this.#nextDescriptor;
    buffers.forEach(({ address, length, writable }, at) => {
      const last = at === buffers.length - 1;
      const index = (head + at) % this.size;
      this.writeDescriptor(
        this.descriptors,
        index,
        address,
        length,
        (last ? 0 : 1) | (writable ? 2 : 0),
        (index + 1) % this.size,
      );
    });
    this.#nextDescriptor = (head + buffers.length) % this.size;
    this.offer(head);
    return head;
  }

  offer(head: number): void {
    const { memory } = this.bench;
    memory.writeU16(this.driver + 4 + 2 * (this.#availIndex % this.size), head);
    this.#availIndex = (this.#availIndex + 1) & 0xffff;
    memory.writeU16(this.driver + 2, this.#availIndex);
  }

  notify(): void {
    this.bench.device.write(NOTIFY + 4 * this.index, 2, this.index);
  }

  get usedIndex(): number {
    return this.bench.memory.readU16(this.used + 2);
  }

  usedElement(at: number): { id: number; length: number } {
    const element = this.used + 4 + 8 * (at % this.size);
    return { id: this.bench.memory.readU32(element), length: this.bench.memory.readU32(element + 4) };
  }

  /** used_event: interrupt when the device's index passes this. */
  set usedEvent(value: number) {
    this.bench.memory.writeU16(this.driver + 4 + 2 * this.size, value);
  }

  get availEvent(): number {
    return this.bench.memory.readU16(this.used + 4 + 8 * this.size);
  }
}
