// The vCPUs of a machine and what they share: the core's Wasm module, guest memory, translated code.
//
// One of them runs at a time. Its context (registers and a few cells) is where the module looks for it; the contexts of the others are
// parked in their own areas, where the TLBs, RIP hashes and page aliases of each vCPU stay all the time (mmu/memory-layout.ts). A
// switch copies two contexts. It happens between two instructions only, so every instruction, locked or not, is atomic for the others.
import { GuestRam } from "../memory/guest-ram.ts";
import type { CodeMode, DecodedBlock } from "../x86/decoder/decode-block.ts";
import { decodeBlock } from "../x86/decoder/decode-block.ts";
import { STATE } from "../x86/state-layout.ts";
import { CodeReader } from "./code-reader.ts";
import type { CpuContext, CpuModel, Platform } from "./context.ts";
import { type CoreInstance, instantiateCore } from "./core-instance.ts";
import { CpuState } from "./cpu-state.ts";
import { helperImports } from "./helper-imports.ts";
import { BlockCache } from "./interpreter/block-cache.ts";
import { Jit, type JitOptions } from "./jit/jit.ts";
import { CoreLinearMemory } from "./mmu/linear-memory.ts";
import { CELLS, CONTEXT_SIZE, CONTEXT_USER, PAGE_FLAGS, PAGE_SIZE, PARKED, VCPU_AREA } from "./mmu/memory-layout.ts";
import { InterpreterVcpu } from "./vcpu.ts";
import type { InterruptSource } from "./vcpu-contract.ts";

/** Accesses outside RAM. Addresses are guest physical; values unsigned. */
export interface DeviceAccess {
  readMmio(address: number, size: 1 | 2 | 4): number;
  writeMmio(address: number, size: 1 | 2 | 4, value: number): void;
}

/** What a vCPU has of its own. */
export interface VcpuParts {
  readonly platform: Platform;
  readonly interrupts: InterruptSource;
  readonly model: CpuModel;
}

export interface VcpuGroupOptions {
  readonly ramBytes: number;
  /** Video memory, mapped directly at a guest physical base that `setVramBase` moves. */
  readonly vramBytes?: number;
  /** The firmware's ROM, which ends at 4 GiB: whole pages. Writes to it go to the bus. */
  readonly rom?: Uint8Array | undefined;
  /** What scripts/build-interpreter.ts made, compiled. */
  readonly interpreterModule: WebAssembly.Module;
  readonly bus: DeviceAccess;
  /** The first one is the bootstrap processor. */
  readonly vcpus: readonly VcpuParts[];
  /** Room for translated code; default: all there is (mmu/memory-layout.ts). */
  readonly operationCacheBytes?: number | undefined;
  /** Absent: everything is interpreted. */
  readonly jit?: JitOptions | undefined;
}

/** Where video memory is while no BAR maps it: beyond every physical address. */
const UNMAPPED = 1n << 60n;
const ROM_END = 2 ** 32;

const ALL_LINES = (1n << 64n) - 1n;
const A20 = 1n << 20n;

/** As CpuContext it is whichever vCPU runs. */
export class VcpuGroup implements CpuContext {
  readonly vcpus: readonly InterpreterVcpu[];
  readonly core: CoreInstance;
  readonly cells: DataView;
  readonly state: CpuState;
  readonly memory: CoreLinearMemory;
  readonly ram: GuestRam;
  readonly blocks: BlockCache;
  readonly jit: Jit | undefined;
  readonly #code: CodeReader;
  readonly #bytes: Uint8Array;
  #running: InterpreterVcpu;

  constructor(options: VcpuGroupOptions) {
    const { ramBytes, vramBytes = 0, rom, bus } = options;
    const count = options.vcpus.length;
    const helpers = helperImports(this);
    this.core = instantiateCore(
      options.interpreterModule,
      ramBytes + vramBytes + (rom?.length ?? 0),
      {
        mmioRead: (address, size) => bus.readMmio(address, size as 1 | 2 | 4),
        mmioWrite: (address, size, value) => bus.writeMmio(address, size as 1 | 2 | 4, value >>> 0),
        fetchMissingPage: (page) => this.ram.onMissing(page),
        releaseProtectedPage: (page) => this.ram.onProtected(page),
        watchAccess: (linear, size, access) => this.#running.watchAccess(BigInt.asUintN(64, linear), size, access),
        invalidateCodePage: (page) => this.blocks.invalidatePage(page),
        translateBlock: () => this.#translateBlock(),
        hotBlock: (address) => this.jit?.hot(address),
        targetsMissed: (profile) => this.jit?.targetsMissed(profile),
      },
      helpers,
    );
    const { buffer } = this.core.memory;
    this.cells = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.state = new CpuState(buffer);
    this.memory = new CoreLinearMemory(this.core, this.state);
    this.blocks = new BlockCache({
      core: this.core,
      vcpus: count,
      bytes: options.operationCacheBytes,
      unlink: () => this.#unlink(),
      running: () => this.#running.index,
    });
    this.jit = options.jit && new Jit(this.core, helpers, this.blocks, options.jit, count > 1);
    this.#code = new CodeReader(this.core, this.state, bus);
    this.#setCell(CELLS.ramBytes, ramBytes);
    this.#setCell(CELLS.vramBytes, vramBytes);
    this.cells.setBigUint64(CELLS.vramBase, UNMAPPED, true);
    this.cells.setBigUint64(CELLS.a20Mask, ALL_LINES, true);
    if (rom) this.#placeRom(rom, ramBytes + vramBytes);
    this.ram = new GuestRam({
      bytes: this.core.guest,
      ramBytes,
      vramBytes,
      flags: new Uint8Array(buffer, PAGE_FLAGS.address, (ramBytes + vramBytes) / 4096),
      voidCode: (address, length) => this.blocks.invalidateBytes(address, length),
      flagsChanged: () => {
        this.core.exports.dropTranslations();
        for (const vcpu of this.#parked()) vcpu.dropLater("translations");
      },
    });
    this.vcpus = options.vcpus.map((parts, index) => new InterpreterVcpu(this, index, parts));
    this.#running = this.vcpus[0] as InterpreterVcpu;
    for (const vcpu of this.#parked()) this.#setCell(parkedAddress(vcpu.index) + CELLS.vcpuOffset, areaOffset(vcpu));
    for (const vcpu of this.vcpus) vcpu.reset();
  }

  #placeRom(rom: Uint8Array, host: number): void {
    this.core.guest.set(rom, host);
    this.cells.setBigUint64(CELLS.romBase, BigInt(ROM_END - rom.length), true);
    this.#setCell(CELLS.romBytes, rom.length);
    this.#setCell(CELLS.romHost, host);
  }

  // --- the vCPU that runs -----------------------------------------------------------------------------------------------------

  get platform(): Platform {
    return this.#running.platform;
  }

  get model(): CpuModel {
    return this.#running.model;
  }

  modeChanged(): void {
    this.#running.modeChanged();
  }

  halt(): void {
    this.#running.halt();
  }

  monitorLine(linear: bigint): void {
    this.#running.monitorLine(linear);
  }

  monitorWait(): void {
    this.#running.monitorWait();
  }

  debugChanged(): void {
    this.#running.debugChanged();
  }

  watchPort(port: number, size: number): void {
    this.#running.watchPort(port, size);
  }

  unblockNmi(): void {
    this.#running.unblockNmi();
  }

  isRunning(vcpu: InterpreterVcpu): boolean {
    return this.#running === vcpu;
  }

  /** Makes a vCPU the one whose context the module works on. */
  enter(vcpu: InterpreterVcpu): void {
    const { index } = this.#running;
    if (index === vcpu.index) return;
    this.#bytes.copyWithin(parkedAddress(index), 0, CONTEXT_SIZE);
    const from = parkedAddress(vcpu.index);
    this.#bytes.copyWithin(0, from, from + CONTEXT_SIZE);
    this.#running = vcpu;
    vcpu.dropNow();
    this.blocks.sweepWriteEntries(vcpu.index);
  }

  /** The state of a vCPU that does not run. */
  parkedState(index: number): CpuState {
    return new CpuState(this.#bytes.buffer as ArrayBuffer, parkedAddress(index));
  }

  // --- all vCPUs ----------------------------------------------------------------------------------------------------------------

  /** Drops all that one vCPU has cached of its mapping. */
  flush(vcpu: InterpreterVcpu): void {
    if (this.isRunning(vcpu)) this.memory.flush(false);
    else vcpu.dropLater("all");
  }

  /** RIPs of one vCPU mean other code now: starts new generations. */
  unlink(vcpu: InterpreterVcpu): void {
    if (this.isRunning(vcpu)) this.core.exports.bumpGenerations();
    else this.#unlinkParked(vcpu);
  }

  /** Moves the window through which the guest sees video memory; undefined takes it away. */
  setVramBase(address: number | undefined): void {
    this.cells.setBigUint64(CELLS.vramBase, address === undefined ? UNMAPPED : BigInt(address), true);
    for (const vcpu of this.vcpus) this.flush(vcpu);
  }

  /** The address line is one for all. */
  enableA20(enabled: boolean): void {
    this.cells.setBigUint64(CELLS.a20Mask, enabled ? ALL_LINES : ALL_LINES & ~A20, true);
    for (const vcpu of this.vcpus) this.flush(vcpu);
  }

  *#parked(): Iterable<InterpreterVcpu> {
    for (const vcpu of this.vcpus) if (vcpu !== this.#running) yield vcpu;
  }

  /** Void blocks must not be found any more through links and RIP hashes. */
  #unlink(): void {
    this.core.exports.bumpGenerations();
    if (this.vcpus.length > 1) for (const vcpu of this.#parked()) this.#unlinkParked(vcpu);
  }

  #unlinkParked(vcpu: InterpreterVcpu): void {
    let generation = this.cells.getInt32(CELLS.lastGeneration, true);
    for (const cell of [CELLS.localGeneration, CELLS.globalGeneration])
      this.#setCell(parkedAddress(vcpu.index) + cell, ++generation);
    this.#setCell(CELLS.lastGeneration, generation);
  }

  // --- translation --------------------------------------------------------------------------------------------------------------

  #translateBlock(): number {
    const rip = this.cells.getBigUint64(CELLS.wantedRip, true);
    const host = this.cells.getInt32(CELLS.wantedHost, true);
    const context = this.cells.getInt32(CELLS.wantedContext, true);
    if (host !== -1) {
      const known = this.blocks.find(host, context);
      if (known !== 0) return known;
      const crossing = this.blocks.findCrossing(host, context);
      if (crossing) {
        const second = this.#secondPage(rip, host);
        if (second === undefined) return 0;
        if (second === crossing.secondHost) {
          this.#setCell(CELLS.blockSpansPages, 1);
          return crossing.address;
        }
      }
    }
    const block = this.decode(rip, undefined);
    if (!block) return 0;
    if (context & CONTEXT_USER) this.jit?.userStarts();
    const outside = host === -1;
    this.#setCell(CELLS.blockSpansPages, outside || block.crossesPage ? 1 : 0);
    const second = block.crossesPage ? this.#code.secondHost : undefined;
    return this.blocks.add(block, outside ? undefined : host, context, second);
  }

  /** Host address of the page behind the one RIP is in; undefined with an exception pending. */
  #secondPage(rip: bigint, host: number): number | undefined {
    const code = this.#code;
    code.start();
    if (!code.read(rip) || !code.read(rip + BigInt(PAGE_SIZE - (host & (PAGE_SIZE - 1))))) return undefined;
    // Outside RAM there is no host address, and no block was kept.
    return code.secondHost ?? -1;
  }

  /** Undefined with an exception pending. */
  decode(rip: bigint, maxInstructions: number | undefined): DecodedBlock | undefined {
    const mode = this.state.getNumber(STATE.codeMode) as CodeMode;
    this.#code.start();
    const fetch = (offset: bigint): Uint8Array | undefined => this.#code.read(offset);
    const block =
      maxInstructions === undefined
        ? decodeBlock(fetch, rip, mode)
        : decodeBlock(fetch, rip, mode, { maxInstructions });
    if ("faultOffset" in block) return undefined;
    return block;
  }

  #setCell(address: number, value: number): void {
    this.cells.setInt32(address, value, true);
  }
}

const parkedAddress = (index: number): number => PARKED.address + index * VCPU_AREA.size;
const areaOffset = ({ index }: InterpreterVcpu): number => index * VCPU_AREA.size;

export interface VcpuOptions extends Omit<VcpuGroupOptions, "vcpus">, VcpuParts {}

/** A group of one. */
export function createVcpu(options: VcpuOptions): InterpreterVcpu {
  return new VcpuGroup({ ...options, vcpus: [options] }).vcpus[0] as InterpreterVcpu;
}
