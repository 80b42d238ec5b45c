// The system bus: which device answers at an I/O port or a guest physical address outside RAM.
//
// Ports go through a table of 64 K owners; MMIO ranges are few, sorted, and the last one hit is tried first.
// What nobody claims reads as all ones and swallows writes, like an ISA bus without a card. Devices get values that are as wide as the access.
import { assert } from "../common/assert.ts";
import type { AccessSize, IoBus, IoHandler, IoMapping } from "./device.ts";

const PORT_COUNT = 0x10000;

interface Mapping {
  readonly base: number;
  readonly length: number;
  readonly handler: IoHandler;
}

export class SystemBus implements IoBus {
  /** Index into `#portMappings` for each port; 0 = unclaimed. */
  readonly #portOwner = new Uint16Array(PORT_COUNT);
  readonly #portMappings: (Mapping | undefined)[] = [undefined];
  /** Sorted by base, never overlapping. */
  #mmio: Mapping[] = [];
  #lastMmio: Mapping | undefined;
  /** Told of every MMIO range that comes or goes, for what the vCPU reaches without calling the device. */
  onMmioChange: ((base: number, handler: IoHandler, mapped: boolean) => void) | undefined;

  mapPorts(base: number, length: number, handler: IoHandler): IoMapping {
    assert(this.portsFree(base, length), `ports ${hex(base)}+${hex(length)} are free`);
    const mapping = { base, length, handler };
    const free = this.#portMappings.indexOf(undefined, 1);
    const owner = free === -1 ? this.#portMappings.length : free;
    this.#portMappings[owner] = mapping;
    this.#portOwner.fill(owner, base, base + length);
    return {
      unmap: () => {
        if (this.#portMappings[owner] !== mapping) return;
        this.#portMappings[owner] = undefined;
        this.#portOwner.fill(0, base, base + length);
      },
    };
  }

  mapMmio(base: number, length: number, handler: IoHandler): IoMapping {
    assert(this.mmioFree(base, length), `addresses ${hex(base)}+${hex(length)} are free`);
    const mapping = { base, length, handler };
    this.#mmio = [...this.#mmio, mapping].sort((a, b) => a.base - b.base);
    this.onMmioChange?.(base, handler, true);
    return {
      unmap: () => {
        if (!this.#mmio.includes(mapping)) return;
        this.#mmio = this.#mmio.filter((other) => other !== mapping);
        if (this.#lastMmio === mapping) this.#lastMmio = undefined;
        this.onMmioChange?.(base, handler, false);
      },
    };
  }

  /** Whether a range can be claimed. A guest may program a BAR over another device; the loser must then not decode. */
  portsFree(base: number, length: number): boolean {
    if (base < 0 || length <= 0 || base + length > PORT_COUNT) return false;
    return this.#portOwner.subarray(base, base + length).every((owner) => owner === 0);
  }

  mmioFree(base: number, length: number): boolean {
    if (base < 0 || length <= 0 || !Number.isSafeInteger(base + length)) return false;
    return this.#mmio.every((other) => base + length <= other.base || other.base + other.length <= base);
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const mapping = this.#portMappings[this.#portOwner[port] ?? 0];
    if (mapping === undefined)
      return size === 1 || port + size > PORT_COUNT ? allOnes(size) : this.#readPortBytes(port, size);
    const offset = port - mapping.base;
    if (offset + size <= mapping.length) return mapping.handler.read(offset, size) >>> 0;
    return this.#readPortBytes(port, size);
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    const mapping = this.#portMappings[this.#portOwner[port] ?? 0];
    if (mapping !== undefined && port - mapping.base + size <= mapping.length) {
      mapping.handler.write(port - mapping.base, size, (value & allOnes(size)) >>> 0);
    } else if (size === 1) {
      mapping?.handler.write(port - mapping.base, 1, value & 0xff);
    } else {
      for (let byte = 0; byte < size; byte++) this.#writePortByte(port + byte, (value >>> (byte * 8)) & 0xff);
    }
  }

  readMmio(address: number, size: 1 | 2 | 4): number {
    const mapping = this.#findMmio(address);
    if (mapping === undefined) return allOnes(size);
    const offset = address - mapping.base;
    if (offset + size > mapping.length) return allOnes(size);
    return mapping.handler.read(offset, size) >>> 0;
  }

  writeMmio(address: number, size: 1 | 2 | 4, value: number): void {
    const mapping = this.#findMmio(address);
    if (mapping === undefined) return;
    const offset = address - mapping.base;
    if (offset + size <= mapping.length) mapping.handler.write(offset, size, (value & allOnes(size)) >>> 0);
  }

  /** Quadword accesses reach devices as two doublewords, the lower one first. */
  readMmio64(address: number): bigint {
    const low = this.readMmio(address, 4);
    return (BigInt(this.readMmio(address + 4, 4)) << 32n) | BigInt(low);
  }

  writeMmio64(address: number, value: bigint): void {
    this.writeMmio(address, 4, Number(value & 0xffffffffn));
    this.writeMmio(address + 4, 4, Number((value >> 32n) & 0xffffffffn));
  }

  #findMmio(address: number): Mapping | undefined {
    const last = this.#lastMmio;
    if (last !== undefined && address >= last.base && address < last.base + last.length) return last;
    let low = 0;
    let high = this.#mmio.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const mapping = this.#mmio[middle] as Mapping;
      if (address < mapping.base) high = middle;
      else if (address >= mapping.base + mapping.length) low = middle + 1;
      else {
        this.#lastMmio = mapping;
        return mapping;
      }
    }
    return undefined;
  }

  /** An access that no single mapping covers: one byte at a time, each to its own owner. */
  #readPortBytes(port: number, size: AccessSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      const mapping = this.#portMappings[this.#portOwner[port + byte] ?? 0];
      const part = mapping === undefined ? 0xff : mapping.handler.read(port + byte - mapping.base, 1) & 0xff;
      value |= part << (byte * 8);
    }
    return value >>> 0;
  }

  #writePortByte(port: number, value: number): void {
    const mapping = this.#portMappings[this.#portOwner[port] ?? 0];
    mapping?.handler.write(port - mapping.base, 1, value);
  }
}

export function allOnes(size: AccessSize): number {
  return size >= 4 ? 0xffffffff : (1 << (size * 8)) - 1;
}

/**
 * For devices with an 8-bit data bus: wider accesses become byte accesses to consecutive registers, as the ISA bus does it.
 */
export function byteWide(read: (offset: number) => number, write: (offset: number, value: number) => void): IoHandler {
  return {
    read(offset, size) {
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= (read(offset + byte) & 0xff) << (byte * 8);
      return value >>> 0;
    },
    write(offset, size, value) {
      for (let byte = 0; byte < size; byte++) write(offset + byte, (value >>> (byte * 8)) & 0xff);
    },
  };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
