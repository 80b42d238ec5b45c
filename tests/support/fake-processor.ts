// A processor that runs a script instead of instructions, for tests of the machine around it.
import { CpuState } from "../../native-core/cpu/cpu-state.ts";
import type { InterruptSource, Vcpu, VcpuExit } from "../../native-core/cpu/vcpu-contract.ts";
import type { GuestMemory } from "../../native-core/devices/device.ts";
import type { Processor, ProcessorOptions } from "../../native-core/machine/machine.ts";
import { STATE, STATE_SIZE } from "../../native-core/x86/state-layout.ts";

/** RAM as plain bytes; outside of it reads are all ones and writes are lost. */
export class FakeMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  read(address: number, target: Uint8Array): void {
    target.fill(0xff);
    target.set(this.bytes.subarray(address, address + target.length));
  }
  write(address: number, source: Uint8Array): void {
    if (address < this.sizeBytes) this.bytes.set(source.subarray(0, this.sizeBytes - address), address);
  }
  lend(address: number, length: number): Uint8Array | undefined {
    return address + length <= this.bytes.length ? this.bytes.subarray(address, address + length) : undefined;
  }

  written(): void {}

  readU16(address: number): number {
    return this.#has(address, 2) ? this.#view.getUint16(address, true) : 0xffff;
  }
  readU32(address: number): number {
    return this.#has(address, 4) ? this.#view.getUint32(address, true) : 0xffffffff;
  }
  readU64(address: number): bigint {
    return this.#has(address, 8) ? this.#view.getBigUint64(address, true) : (1n << 64n) - 1n;
  }
  writeU16(address: number, value: number): void {
    if (this.#has(address, 2)) this.#view.setUint16(address, value, true);
  }
  writeU32(address: number, value: number): void {
    if (this.#has(address, 4)) this.#view.setUint32(address, value, true);
  }
  writeU64(address: number, value: bigint): void {
    if (this.#has(address, 8)) this.#view.setBigUint64(address, value, true);
  }

  #has(address: number, length: number): boolean {
    return address >= 0 && address + length <= this.sizeBytes;
  }
}

/** Runs `step` once per instruction; it says whether the processor halts. Interrupts are acknowledged and recorded. */
export class FakeVcpu implements Vcpu {
  readonly state = new CpuState(new ArrayBuffer(STATE_SIZE));
  readonly interrupts: number[] = [];
  readonly budgets: number[] = [];
  invalidations = 0;
  nmis = 0;
  step: (vcpu: FakeVcpu) => VcpuExit | "next" = () => "next";
  #exit = false;
  #source: InterruptSource;

  constructor(source: InterruptSource) {
    this.#source = source;
  }

  run(maxInstructions: number): VcpuExit {
    this.budgets.push(maxInstructions);
    this.#exit = false;
    for (let count = 0; count < maxInstructions && !this.#exit; count++) {
      if (this.#source.hasInterrupt()) {
        const vector = this.#source.acknowledge();
        if (vector !== undefined) this.interrupts.push(vector);
      }
      this.state.set(STATE.instructionCount, this.state.get(STATE.instructionCount) + 1n);
      const outcome = this.step(this);
      if (outcome === "halted" && this.#source.hasInterrupt()) continue;
      if (outcome !== "next") return outcome;
    }
    return "deadline";
  }

  get runnable(): boolean {
    return true;
  }
  interruptChanged(): void {}
  requestNmi(): void {
    this.nmis++;
  }
  requestInit(): void {}
  requestStartup(): void {}
  requestExit(): void {
    this.#exit = true;
  }
  reset(): void {
    this.state.set(STATE.rip, 0xfff0n);
    this.state.flags = 2n;
  }
  memoryWritten(): void {}
  invalidateAll(): void {
    this.invalidations++;
  }
}

export function fakeProcessor(options: ProcessorOptions): Processor & { vcpus: FakeVcpu[]; memory: FakeMemory } {
  return {
    vcpus: options.vcpus.map(({ interrupts }) => new FakeVcpu(interrupts)),
    memory: new FakeMemory(options.memoryBytes),
  };
}
