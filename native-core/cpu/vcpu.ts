// The vCPU: runs the core's Wasm module, delivers what the module leaves pending, and gives the machine its faces.
//
//   run: deliver NMI or interrupt -> Wasm until deadline, exception or event -> deliver exception -> again

import { GuestRam } from "../memory/guest-ram.ts";
import type { CodeMode, DecodedBlock } from "../x86/decoder/decode-block.ts";
import { decodeBlock } from "../x86/decoder/decode-block.ts";
import { RFLAGS, VECTOR } from "../x86/registers.ts";
import { STATE } from "../x86/state-layout.ts";
import { CodeReader } from "./code-reader.ts";
import type { CpuContext, CpuModel, Platform } from "./context.ts";
import { type CoreInstance, instantiateCore } from "./core-instance.ts";
import { CpuState } from "./cpu-state.ts";
import { helperImports } from "./helper-imports.ts";
import { deliverEvent } from "./helpers/deliver-event.ts";
import { BlockCache } from "./interpreter/block-cache.ts";
import { RUN_RESULT } from "./interpreter/dispatch.ts";
import { Jit, type JitOptions } from "./jit/jit.ts";
import { CoreLinearMemory, takeException } from "./mmu/linear-memory.ts";
import { AREA, CELLS, PAGE_FLAGS, PAGE_SIZE, RIP_HASH } from "./mmu/memory-layout.ts";
import { deriveMode } from "./mode.ts";
import { resetCpu } from "./reset.ts";
import type { InterruptSource, Vcpu, VcpuExit } from "./vcpu-contract.ts";

/** Accesses outside RAM. Addresses are guest physical; values unsigned. */
export interface DeviceAccess {
  readMmio(address: number, size: 1 | 2 | 4): number;
  writeMmio(address: number, size: 1 | 2 | 4, value: number): void;
}

export interface VcpuOptions {
  readonly ramBytes: number;
  /** Video memory, mapped directly at a guest physical base that `setVramBase` moves. */
  readonly vramBytes?: number;
  /** What scripts/build-interpreter.ts made, compiled. */
  readonly interpreterModule: WebAssembly.Module;
  readonly platform: Platform;
  readonly interrupts: InterruptSource;
  readonly bus: DeviceAccess;
  readonly model: CpuModel;
  /** Room for translated code; default: all there is (mmu/memory-layout.ts). */
  readonly operationCacheBytes?: number;
  /** Absent: everything is interpreted. */
  readonly jit?: JitOptions | undefined;
}

/** Where video memory is while no BAR maps it: beyond every physical address. */
const UNMAPPED = 1n << 60n;
const DR6_BS = 0x4000n;
const ONE_INSTRUCTION = { maxInstructions: 1 };

export class InterpreterVcpu implements Vcpu, CpuContext {
  readonly state: CpuState;
  readonly memory: CoreLinearMemory;
  readonly ram: GuestRam;
  readonly platform: Platform;
  readonly model: CpuModel;
  readonly blocks: BlockCache;
  readonly jit: Jit | undefined;
  readonly #core: CoreInstance;
  readonly #cells: DataView;
  readonly #interrupts: InterruptSource;
  readonly #code: CodeReader;
  #nmiPending = false;
  #exitRequested = false;
  /** Delivered in the current run. */
  #exceptions = 0;
  /** Code mode and CS base that blocks of each privilege were last run with: RIPs mean other bytes when they change. */
  readonly #lastMode = [0, 0];
  readonly #lastBase = [0n, 0n];

  constructor(options: VcpuOptions) {
    const { ramBytes, vramBytes = 0, bus } = options;
    this.platform = options.platform;
    this.model = options.model;
    this.#interrupts = options.interrupts;
    const helpers = helperImports(this);
    this.#core = instantiateCore(
      options.interpreterModule,
      ramBytes + vramBytes,
      {
        mmioRead: (address, size) => bus.readMmio(address, size as 1 | 2 | 4),
        mmioWrite: (address, size, value) => bus.writeMmio(address, size as 1 | 2 | 4, value >>> 0),
        fetchMissingPage: (page) => this.ram.onMissing(page),
        releaseProtectedPage: (page) => this.ram.onProtected(page),
        invalidateCodePage: (page) => this.blocks.invalidatePage(page),
        translateBlock: () => this.#translateBlock(),
        hotBlock: (address) => this.jit?.hot(address),
      },
      helpers,
    );
    const { buffer } = this.#core.memory;
    this.#cells = new DataView(buffer);
    this.state = new CpuState(buffer);
    this.memory = new CoreLinearMemory(this.#core, this.state);
    this.blocks = new BlockCache(this.#core, options.operationCacheBytes);
    this.jit = options.jit && new Jit(this.#core, helpers, this.blocks, options.jit);
    this.#code = new CodeReader(this.#core, this.state, bus);
    this.#setCell(CELLS.ramBytes, ramBytes);
    this.#setCell(CELLS.vramBytes, vramBytes);
    this.#cells.setBigUint64(CELLS.vramBase, UNMAPPED, true);
    this.ram = new GuestRam({
      memory: this.#core.guest,
      ramBytes,
      vramBytes,
      flags: new Uint8Array(buffer, PAGE_FLAGS.address, (ramBytes + vramBytes) / 4096),
      voidCode: (address, length) => this.blocks.invalidateBytes(address, length),
      flagsChanged: () => this.#core.exports.dropTranslations(),
    });
    this.reset();
  }

  // --- Vcpu -------------------------------------------------------------------------------------------------------------------

  run(maxInstructions: number): VcpuExit {
    const { state } = this;
    this.jit?.runStarts();
    this.#exitRequested = false;
    this.#exceptions = 0;
    const deadline = state.get(STATE.instructionCount) + BigInt(maxInstructions);
    for (;;) {
      if (!this.#deliverPending()) return "shutdown";
      if (state.getNumber(STATE.halted) !== 0) return "halted";
      // A handler that faults at its first instruction retires nothing for ever, so exceptions use up the budget too.
      if (this.#exitRequested || this.#exceptions >= maxInstructions) return "deadline";
      if (state.get(STATE.instructionCount) >= deadline) return "deadline";
      if (!this.#runOnce(deadline)) return "shutdown";
    }
  }

  interruptChanged(): void {
    const waiting = this.#interrupts.hasInterrupt();
    this.state.setNumber(STATE.eventPending, waiting || this.#nmiPending ? 1 : 0);
    if (waiting && this.#interruptsEnabled) this.#kick();
  }

  requestNmi(): void {
    this.#nmiPending = true;
    this.#kick();
  }

  requestExit(): void {
    this.#exitRequested = true;
    this.#kick();
  }

  reset(): void {
    resetCpu(this.state);
    this.#nmiPending = false;
    this.invalidateAll();
    this.modeChanged();
  }

  memoryWritten(address: number, length: number): void {
    this.ram.prepareWrite(address, length);
  }

  invalidateAll(): void {
    this.memory.flush(false);
    this.blocks.flush();
    this.#lastMode.fill(0);
    this.modeChanged();
  }

  // --- CpuContext ---------------------------------------------------------------------------------------------------------------

  modeChanged(): void {
    const { state } = this;
    deriveMode(state);
    const user = state.getNumber(STATE.cpl) === 3 ? 1 : 0;
    const mode = state.getNumber(STATE.codeMode);
    const base = mode === 8 ? 0n : state.segment("cs", "base");
    if (this.#lastMode[user] === mode && this.#lastBase[user] === base) return;
    this.#lastMode[user] = mode;
    this.#lastBase[user] = base;
    state.setNumber(STATE.codeModes, (this.#lastMode[0] ?? 0) | ((this.#lastMode[1] ?? 0) << 8));
    this.#core.exports.bumpGenerations();
  }

  halt(): void {
    this.state.setNumber(STATE.halted, 1);
    this.#kick();
  }

  // --- the machine's other needs --------------------------------------------------------------------------------------------------

  /** Moves the window through which the guest sees video memory; undefined takes it away. */
  setVramBase(address: number | undefined): void {
    this.#cells.setBigUint64(CELLS.vramBase, address === undefined ? UNMAPPED : BigInt(address), true);
    this.memory.flush(false);
  }

  /** Physical address of a linear one for reading, for debuggers; undefined where nothing is mapped. */
  translate(linear: bigint): number | undefined {
    const host = this.#core.exports.translate(linear, 0, 1);
    if (this.state.getNumber(STATE.exceptionVector) !== 0) takeException(this.state);
    return host === -1 ? undefined : host >>> 0;
  }

  /** Executes one instruction and what it raises. */
  step(): VcpuExit {
    if (!this.#deliverPending()) return "shutdown";
    if (this.state.getNumber(STATE.halted) !== 0) return "halted";
    return this.#stepOnce() ? "deadline" : "shutdown";
  }

  // --- events -------------------------------------------------------------------------------------------------------------------

  get #interruptsEnabled(): boolean {
    return (this.state.getNumber(STATE.systemFlags) & RFLAGS.IF) !== 0;
  }

  /** Makes the next block end leave the module. `run` sets the deadline anew. */
  #kick(): void {
    this.state.set(STATE.instructionDeadline, 0n);
  }

  /** NMI before interrupts. False if the processor shuts down. */
  #deliverPending(): boolean {
    const { state } = this;
    const shadow = state.getNumber(STATE.interruptShadow) !== 0;
    if (this.#nmiPending && !shadow) {
      this.#nmiPending = false;
      state.setNumber(STATE.halted, 0);
      return deliverEvent(this, VECTOR.NMI, { kind: "trap" });
    }
    if (!shadow && this.#interruptsEnabled && this.#interrupts.hasInterrupt()) {
      state.setNumber(STATE.halted, 0);
      const vector = this.#interrupts.acknowledge();
      if (vector !== undefined) return deliverEvent(this, vector, { kind: "external" });
    }
    return true;
  }

  /** One stay in the module. */
  #runOnce(deadline: bigint): boolean {
    const { state } = this;
    const waiting = this.#nmiPending || this.#interrupts.hasInterrupt();
    const flags = state.getNumber(STATE.systemFlags);
    // A shadow with something waiting, and the trap flag, need exactly one instruction.
    if (flags & RFLAGS.TF || (waiting && state.getNumber(STATE.interruptShadow) !== 0)) return this.#stepOnce();
    state.setNumber(STATE.eventPending, waiting ? 1 : 0);
    state.set(STATE.instructionDeadline, deadline);
    return this.#core.exports.run() === RUN_RESULT.leave || this.#deliverException();
  }

  #deliverException(): boolean {
    const { state } = this;
    this.#exceptions++;
    // Not takeException: an Error costs more than the whole delivery.
    const vector = state.getNumber(STATE.exceptionVector) - 1;
    state.setNumber(STATE.exceptionVector, 0);
    if (state.getNumber(STATE.exceptionHasErrorCode) === 0) return deliverEvent(this, vector);
    return deliverEvent(this, vector, { errorCode: state.getNumber(STATE.exceptionErrorCode) });
  }

  #stepOnce(): boolean {
    const { state } = this;
    const trap = (state.getNumber(STATE.systemFlags) & RFLAGS.TF) !== 0;
    state.setNumber(STATE.interruptShadow, 0);
    state.setNumber(STATE.trapInhibited, 0);
    state.setNumber(STATE.eventPending, 0);
    state.set(STATE.instructionDeadline, 0n);
    const hash = this.#plantStep();
    if (hash === undefined) return this.#deliverException();
    const result = this.#core.exports.run();
    // A step block is not for running twice.
    this.#setCell(hash + RIP_HASH.cell, CELLS.zero);
    this.#setCell(hash + RIP_HASH.check, 1);
    if (result === RUN_RESULT.exception) return this.#deliverException();
    if (!trap || state.getNumber(STATE.trapInhibited) !== 0) return true;
    state.set(STATE.dr6, state.get(STATE.dr6) | DR6_BS);
    return deliverEvent(this, VECTOR.DB, { kind: "trap" });
  }

  /** Puts a block of one instruction where the module will look first; yields the address of the hash entry. */
  #plantStep(): number | undefined {
    const { state } = this;
    const rip = state.get(STATE.rip);
    const block = this.#decode(rip, ONE_INSTRUCTION.maxInstructions);
    if (!block) return undefined;
    const address = this.blocks.add({ ...block, crossesPage: true }, undefined, 0, undefined);
    const area = state.getNumber(STATE.cpl) === 3 ? AREA.user : AREA.supervisor;
    const index = Number(BigInt.asUintN(32, rip ^ (rip >> 14n))) & (RIP_HASH.entries - 1);
    const hash = area + AREA.ripHash + index * RIP_HASH.entrySize;
    this.#cells.setBigUint64(hash + RIP_HASH.rip, rip, true);
    this.#setCell(hash + RIP_HASH.block, address);
    this.#setCell(hash + RIP_HASH.cell, CELLS.zero);
    this.#setCell(hash + RIP_HASH.check, 0);
    return hash;
  }

  // --- translation --------------------------------------------------------------------------------------------------------------

  #translateBlock(): number {
    const rip = this.#cells.getBigUint64(CELLS.wantedRip, true);
    const host = this.#cells.getInt32(CELLS.wantedHost, true);
    const context = this.#cells.getInt32(CELLS.wantedContext, true);
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
    const block = this.#decode(rip, undefined);
    if (!block) return 0;
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
  #decode(rip: bigint, maxInstructions: number | undefined): DecodedBlock | undefined {
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
    this.#cells.setInt32(address, value, true);
  }
}

export function createVcpu(options: VcpuOptions): InterpreterVcpu {
  return new InterpreterVcpu(options);
}
