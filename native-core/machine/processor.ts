// The processors of a machine: the vCPUs of cpu/, their memory, and video memory behind RAM that they reach without the device.
import { type CoreCounters, readCounters } from "../cpu/counters.ts";
import { cpuModel, DEFAULT_CPU_MODEL } from "../cpu/cpuid/models.ts";
import { withTopology } from "../cpu/helpers/cpu-topology.ts";
import { DEFAULT_JIT_OPTIONS, type JitOptions } from "../cpu/jit/jit.ts";
import { recentPages } from "../cpu/recent-pages.ts";
import type { InterpreterVcpu } from "../cpu/vcpu.ts";
import { VcpuGroup } from "../cpu/vcpu-group.ts";
import { VRAM_PAGE_BYTES, type Vram } from "../devices/vga/vram.ts";
import { type GuestRam, PAGE_BYTES } from "../memory/guest-ram.ts";
import type { Processor, ProcessorFactory } from "./machine.ts";

/** Bit of a page's flags: written since the bit was last cleared. In video memory it belongs to the display. */
const DIRTY = 1;

export interface CoreProcessor extends Processor {
  readonly vcpus: readonly InterpreterVcpu[];
  /** Pages, flags and hooks for saved states. */
  readonly memory: GuestRam;
  counters(): CoreCounters;
  /** Pages that the guest used of late: the first ones that it will want when it is restored. */
  recentPages(): Uint32Array<ArrayBuffer>;
}

/**
 * `interpreterModule`: what the build made of cpu/interpreter, compiled once for all machines of the process. `jit`:
 * "off" leaves everything to the interpreter.
 */
export function coreProcessor(
  interpreterModule: WebAssembly.Module,
  jit: JitOptions | "off" = DEFAULT_JIT_OPTIONS,
): ProcessorFactory<CoreProcessor> {
  return ({ memoryBytes, videoMemoryBytes, rom, bus, vcpus, model = DEFAULT_CPU_MODEL }) => {
    const group = new VcpuGroup({
      ramBytes: memoryBytes,
      vramBytes: videoMemoryBytes,
      rom: rom && rom.length % PAGE_BYTES === 0 ? rom : undefined,
      interpreterModule,
      bus,
      vcpus: vcpus.map((parts, index) => ({
        ...parts,
        model: withTopology(cpuModel(model), { index, count: vcpus.length }),
      })),
      jit: jit === "off" ? undefined : jit,
    });
    return {
      vcpus: group.vcpus,
      memory: group.ram,
      counters: () => readCounters(group.cells, group.jit?.statistics),
      recentPages: () => recentPages(group.cells, vcpus.length),
      ...(videoMemoryBytes > 0 ? { videoMemory: new GuestVram(group.ram) } : {}),
      mapVideoMemory: (base) => group.setVramBase(base),
    };
  };
}

/** Video memory as part of guest memory: what the vCPU writes shows up in the page flags. */
class GuestVram implements Vram {
  readonly #ram: GuestRam;
  readonly #firstPage: number;

  constructor(ram: GuestRam) {
    this.#ram = ram;
    this.#firstPage = ram.sizeBytes / PAGE_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#ram.vram;
  }

  markDirty(offset: number, length: number): void {
    const { flags } = this.#ram;
    const first = this.#firstPage + Math.floor(offset / VRAM_PAGE_BYTES);
    const end = this.#firstPage + Math.ceil((offset + length) / VRAM_PAGE_BYTES);
    for (let page = first; page < end; page++) flags[page] = (flags[page] ?? 0) | DIRTY;
  }

  takeDirtyPages(): readonly number[] {
    const { flags, count } = this.#ram;
    const pages: number[] = [];
    for (let page = this.#firstPage; page < count; page++) {
      if (((flags[page] ?? 0) & DIRTY) === 0) continue;
      flags[page] = (flags[page] ?? 0) & ~DIRTY;
      pages.push(page - this.#firstPage);
    }
    if (pages.length > 0) this.#ram.flagsChanged();
    return pages;
  }
}
