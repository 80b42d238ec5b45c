// A vCPU: runs the core's Wasm module, delivers what the module leaves pending, and gives the machine its faces.
//
//   run: INIT, start-up, NMI or interrupt -> Wasm until deadline, exception or event -> deliver exception -> again
import type { GuestRam } from "../memory/guest-ram.ts";
import { CR0, RFLAGS, VECTOR } from "../x86/registers.ts";
import { STATE } from "../x86/state-layout.ts";
import { CpuException, type CpuModel, NON_CANONICAL, NUMERIC_ERROR, type Platform, STEP_FIRST } from "./context.ts";
import type { CpuState } from "./cpu-state.ts";
import { MONITOR_LINE_BYTES } from "./cpuid/leaves.ts";
import {
  ARMED,
  armBreakpoints,
  DEFERRED_TRAPS,
  DR6,
  dataHits,
  instructionHits,
  portHits,
  watchesPage,
} from "./debug-registers.ts";
import { deliverEvent, type EventOptions } from "./helpers/deliver-event.ts";
import type { BlockCache } from "./interpreter/block-cache.ts";
import { RUN_RESULT } from "./interpreter/dispatch.ts";
import type { Jit } from "./jit/jit.ts";
import { type CoreLinearMemory, setException, takeException } from "./mmu/linear-memory.ts";
import { ACCESS, AREA, CELLS, RIP_HASH, VCPU_AREA } from "./mmu/memory-layout.ts";
import { deriveMode } from "./mode.ts";
import { ACTIVITY, initCpu, resetCpu, startCpu } from "./reset.ts";
import { nonCanonicalVector } from "./stack-fault.ts";
import type { InterruptSource, Vcpu, VcpuExit } from "./vcpu-contract.ts";
import type { VcpuGroup, VcpuParts } from "./vcpu-group.ts";

/** An unmasked x87 exception is pending. */
const X87_STATUS_ES = 0x80;
const LINE = BigInt(MONITOR_LINE_BYTES);
const ONE_INSTRUCTION = { maxInstructions: 1 };

export class InterpreterVcpu implements Vcpu {
  readonly index: number;
  readonly platform: Platform;
  readonly model: CpuModel;
  readonly #group: VcpuGroup;
  readonly #parked: CpuState;
  readonly #interrupts: InterruptSource;
  /** FERR# is asserted. */
  onNumericError: (() => void) | undefined;
  #exitRequested = false;
  /** Whole blocks are executed, not an instruction alone. */
  #inBlocks = false;
  /** Delivered in the current run. */
  #exceptions = 0;
  /** Code mode and CS base that blocks of each privilege were last run with: RIPs mean other bytes when they change. */
  readonly #lastMode = [0, 0];
  readonly #lastBase = [0n, 0n];
  /** What MONITOR found in the line that it watches. Not kept by saved states: MWAIT may end at any time. */
  #line: { readonly host: number; readonly content: Uint8Array } | undefined;
  /** What has to be dropped before this vCPU runs again. */
  #dropLater: "nothing" | "translations" | "all" = "all";

  constructor(group: VcpuGroup, index: number, { platform, interrupts, model }: VcpuParts) {
    this.#group = group;
    this.index = index;
    this.platform = platform;
    this.model = model;
    this.#interrupts = interrupts;
    this.#parked = group.parkedState(index);
  }

  get state(): CpuState {
    return this.#group.isRunning(this) ? this.#group.state : this.#parked;
  }

  /** Linear memory as this vCPU sees it. */
  get memory(): CoreLinearMemory {
    this.#group.enter(this);
    return this.#group.memory;
  }

  get ram(): GuestRam {
    return this.#group.ram;
  }

  get blocks(): BlockCache {
    return this.#group.blocks;
  }

  get jit(): Jit | undefined {
    return this.#group.jit;
  }

  // --- Vcpu -------------------------------------------------------------------------------------------------------------------

  run(maxInstructions: number): VcpuExit {
    this.#group.enter(this);
    const { state } = this.#group;
    this.#group.jit?.runStarts();
    this.#exitRequested = false;
    this.#exceptions = 0;
    const start = state.get(STATE.instructionCount);
    const exit = this.#execute(start + BigInt(maxInstructions), maxInstructions);
    if (exit !== "deadline") return exit;
    // Time must pass even for a guest that retires nothing, because each handler faults or each delivery asks for an exit.
    const stuck = state.get(STATE.instructionCount) === start;
    const passed = stuck ? Math.max(1, this.#exceptions) : this.#exceptions;
    if (passed > 0) state.set(STATE.instructionCount, state.get(STATE.instructionCount) + BigInt(passed));
    return exit;
  }

  get runnable(): boolean {
    const { state } = this;
    const activity = state.getNumber(STATE.halted);
    if (activity === ACTIVITY.runs || state.getNumber(STATE.initPending) !== 0) return true;
    if (activity === ACTIVITY.monitors && this.#lineChanged) return true;
    if (activity === ACTIVITY.waitsForStartup) return state.getNumber(STATE.startupPending) !== 0;
    return this.#nmiDeliverable || (this.#interruptsEnabled && this.#interrupts.hasInterrupt());
  }

  interruptChanged(): void {
    // Who does not run looks at everything when it does.
    if (!this.#group.isRunning(this)) return;
    const waiting = this.#interrupts.hasInterrupt();
    this.state.setNumber(STATE.eventPending, waiting || this.#signalPending ? 1 : 0);
    if (waiting && this.#interruptsEnabled) this.#kick();
  }

  requestNmi(): void {
    this.state.setNumber(STATE.nmiPending, 1);
    this.#kick();
  }

  requestInit(): void {
    this.state.setNumber(STATE.initPending, 1);
    this.#kick();
  }

  requestStartup(page: number): void {
    const { state } = this;
    // Only a processor that waits for it takes it (SDM 3A 9.4.1); one that is about to be initialized will.
    if (state.getNumber(STATE.halted) !== ACTIVITY.waitsForStartup && state.getNumber(STATE.initPending) === 0) return;
    state.setNumber(STATE.startupPending, 1);
    state.setNumber(STATE.startupPage, page);
    this.#kick();
  }

  requestExit(): void {
    this.#exitRequested = true;
    this.#kick();
  }

  /** IGNNE#: without effect unless an exception waits, with which it ends. */
  ignoreNumericErrors(): void {
    const { state } = this;
    if (state.getNumber(STATE.x87Status) & X87_STATUS_ES) state.setNumber(STATE.numericErrorsIgnored, 1);
  }

  /** A20M#, inverted. */
  enableA20(enabled: boolean): void {
    this.#group.enableA20(enabled);
  }

  reset(): void {
    resetCpu(this.state, this.index === 0);
    this.invalidateAll();
  }

  memoryWritten(address: number, length: number): void {
    this.ram.prepareWrite(address, length);
  }

  invalidateAll(): void {
    this.#group.flush(this);
    this.blocks.flush();
    this.#lastMode.fill(0);
    armBreakpoints(this.state);
    this.modeChanged();
  }

  // --- for the group ------------------------------------------------------------------------------------------------------------

  modeChanged(): void {
    const { state } = this;
    deriveMode(state);
    const user = state.getNumber(STATE.cpl) === 3 ? 1 : 0;
    // What user code has checked must not be in the TLB (mmu/cells.ts).
    const isChecked = state.getNumber(STATE.systemFlags) & RFLAGS.AC && state.getNumber(STATE.cr0) & CR0.AM;
    if (user && isChecked) this.#dropTranslations();
    const mode = state.getNumber(STATE.codeMode);
    const base = mode === 8 ? 0n : state.segment("cs", "base");
    if (this.#lastMode[user] === mode && this.#lastBase[user] === base) return;
    this.#lastMode[user] = mode;
    this.#lastBase[user] = base;
    state.setNumber(STATE.codeModes, (this.#lastMode[0] ?? 0) | ((this.#lastMode[1] ?? 0) << 8));
    this.#group.unlink(this);
  }

  #dropTranslations(): void {
    if (this.#group.isRunning(this)) this.#group.core.exports.dropTranslations();
    else this.dropLater("translations");
  }

  halt(): void {
    this.state.setNumber(STATE.halted, 1);
    this.#kick();
  }

  monitorLine(linear: bigint): void {
    const host = this.#group.core.exports.translate(linear & ~(LINE - 1n), 0, MONITOR_LINE_BYTES);
    // Read with the supervisor's rights by now; a line that is not RAM is not watched.
    if (this.state.getNumber(STATE.exceptionVector) !== 0) takeException(this.state);
    this.#line = host === -1 ? undefined : { host: host >>> 0, content: this.#lineAt(host >>> 0).slice() };
  }

  monitorWait(): void {
    if (this.#lineChanged) return;
    this.state.setNumber(STATE.halted, ACTIVITY.monitors);
    this.#kick();
  }

  /** Also where none is watched: whoever waits has to look for itself. A line written with what it held has not changed. */
  get #lineChanged(): boolean {
    const line = this.#line;
    return !line || this.#lineAt(line.host).some((byte, n) => byte !== line.content[n]);
  }

  #lineAt(host: number): Uint8Array {
    return this.#group.core.guest.subarray(host, host + MONITOR_LINE_BYTES);
  }

  debugChanged(): void {
    const { state } = this;
    armBreakpoints(state);
    // An instruction breakpoint holds from the next instruction on.
    state.setNumber(STATE.systemFlags, state.getNumber(STATE.systemFlags) & ~RFLAGS.RF);
    this.#group.core.exports.dropTranslations();
    this.#kick();
  }

  /** 0 if the page has no data breakpoint. One that is hit is noted while single instructions run; else the instruction is held back. */
  watchAccess(linear: bigint, size: number, access: number): number {
    const { state } = this.#group;
    if (access & ACCESS.fetch || !watchesPage(state, linear)) return 0;
    const hits = dataHits(state, linear, size, (access & ACCESS.write) !== 0);
    if (hits !== 0 && this.#holdsBack(hits)) setException(state, new CpuException(STEP_FIRST));
    return 1;
  }

  watchPort(port: number, size: number): void {
    const { state } = this.#group;
    if (!(state.getNumber(STATE.debugArmed) & ARMED.port)) return;
    const hits = portHits(state, port, size);
    if (hits !== 0 && this.#holdsBack(hits)) throw new CpuException(STEP_FIRST);
  }

  /** Notes breakpoints, or says that the instruction must be run alone first. */
  #holdsBack(hits: number): boolean {
    if (this.#inBlocks) return true;
    const { state } = this.#group;
    state.setNumber(STATE.debugHits, state.getNumber(STATE.debugHits) | hits);
    return false;
  }

  unblockNmi(): void {
    const { state } = this;
    if (state.getNumber(STATE.nmiBlocked) === 0) return;
    state.setNumber(STATE.nmiBlocked, 0);
    if (state.getNumber(STATE.nmiPending) !== 0) this.#kick();
  }

  /** Something cached has become wrong while another vCPU runs. */
  dropLater(what: "translations" | "all"): void {
    if (this.#dropLater !== "all") this.#dropLater = what;
  }

  /** This vCPU has just become the running one. */
  dropNow(): void {
    if (this.#dropLater === "all") this.#group.memory.flush(false);
    else if (this.#dropLater === "translations") this.#group.core.exports.dropTranslations();
    this.#dropLater = "nothing";
  }

  // --- the machine's other needs --------------------------------------------------------------------------------------------------

  /** Physical address of a linear one for reading, for debuggers; undefined where nothing is mapped. */
  translate(linear: bigint): number | undefined {
    this.#group.enter(this);
    const host = this.#group.core.exports.translate(linear, 0, 1);
    if (this.state.getNumber(STATE.exceptionVector) !== 0) takeException(this.state);
    return host === -1 ? undefined : host >>> 0;
  }

  /** Executes one instruction and what it raises. */
  step(): VcpuExit {
    this.#group.enter(this);
    if (!this.#deliverPending()) return "shutdown";
    if (this.state.getNumber(STATE.halted) !== 0) return "halted";
    return this.#stepOnce() ? "deadline" : "shutdown";
  }

  // --- events -------------------------------------------------------------------------------------------------------------------

  get #nmiDeliverable(): boolean {
    return this.state.getNumber(STATE.nmiPending) !== 0 && this.state.getNumber(STATE.nmiBlocked) === 0;
  }

  /** Something waits that does not ask for IF. */
  get #signalPending(): boolean {
    return this.state.getNumber(STATE.initPending) !== 0 || this.#nmiDeliverable;
  }

  get #interruptsEnabled(): boolean {
    return (this.state.getNumber(STATE.systemFlags) & RFLAGS.IF) !== 0;
  }

  /** Makes the next block end leave the module. `run` sets the deadline anew. */
  #kick(): void {
    if (this.#group.isRunning(this)) this.#group.state.set(STATE.instructionDeadline, 0n);
  }

  /** INIT, then deferred traps, NMI and interrupts (SDM 3A 6.9). False if the processor shuts down. */
  #deliverPending(): boolean {
    const { state } = this.#group;
    if (state.getNumber(STATE.initPending) !== 0) this.#initialize();
    if (state.getNumber(STATE.halted) === ACTIVITY.waitsForStartup && !this.#startUp()) return true;
    if (state.getNumber(STATE.halted) === ACTIVITY.monitors && this.#lineChanged) this.#endWait();
    const trap = BigInt(state.getNumber(STATE.debugHits)) & DEFERRED_TRAPS;
    if (trap !== 0n) return this.#deliverDebug(trap, { kind: "trap" });
    if (state.getNumber(STATE.interruptShadow) !== 0) return true;
    if (this.#nmiDeliverable) {
      state.setNumber(STATE.nmiPending, 0);
      state.setNumber(STATE.nmiBlocked, 1);
      state.setNumber(STATE.halted, ACTIVITY.runs);
      return deliverEvent(this.#group, VECTOR.NMI, { kind: "trap" });
    }
    if (this.#interruptsEnabled && this.#interrupts.hasInterrupt()) {
      state.setNumber(STATE.halted, ACTIVITY.runs);
      const vector = this.#interrupts.acknowledge();
      if (vector !== undefined) return deliverEvent(this.#group, vector, { kind: "external" });
    }
    return true;
  }

  #endWait(): void {
    this.#line = undefined;
    this.#group.state.setNumber(STATE.halted, ACTIVITY.runs);
  }

  /** INIT signal: the bootstrap processor goes to the reset vector, the others wait to be started. */
  #initialize(): void {
    initCpu(this.#group.state);
    this.#group.memory.flush(false);
    this.modeChanged();
  }

  /** False as long as no start-up IPI has come. */
  #startUp(): boolean {
    const { state } = this.#group;
    if (state.getNumber(STATE.startupPending) === 0) return false;
    startCpu(state);
    this.modeChanged();
    return true;
  }

  #execute(deadline: bigint, maxExceptions: number): VcpuExit {
    const { state } = this.#group;
    for (;;) {
      if (!this.#deliverPending()) return "shutdown";
      if (state.getNumber(STATE.halted) !== 0) return "halted";
      // A handler that faults at its first instruction retires nothing for ever, so exceptions use up the budget too.
      if (this.#exitRequested || this.#exceptions >= maxExceptions) return "deadline";
      if (state.get(STATE.instructionCount) >= deadline) return "deadline";
      if (!this.#runOnce(deadline)) return "shutdown";
    }
  }

  /** One stay in the module. */
  #runOnce(deadline: bigint): boolean {
    const { state } = this.#group;
    const waiting = this.#signalPending || this.#interrupts.hasInterrupt();
    const flags = state.getNumber(STATE.systemFlags);
    // A shadow with something waiting, the trap flag and breakpoints on instructions need exactly one instruction.
    const breakpoints = state.getNumber(STATE.debugHits) | (state.getNumber(STATE.debugArmed) & ARMED.instruction);
    if (flags & RFLAGS.TF || breakpoints || (waiting && state.getNumber(STATE.interruptShadow) !== 0))
      return this.#stepOnce();
    state.setNumber(STATE.eventPending, waiting ? 1 : 0);
    state.set(STATE.instructionDeadline, deadline);
    this.#inBlocks = true;
    const result = this.#group.core.exports.run();
    this.#inBlocks = false;
    return result === RUN_RESULT.leave || this.#deliverException();
  }

  #deliverException(): boolean {
    const { state } = this;
    this.#exceptions++;
    // Not takeException: an Error costs more than the whole delivery.
    const vector = state.getNumber(STATE.exceptionVector) - 1;
    state.setNumber(STATE.exceptionVector, 0);
    if (vector === STEP_FIRST) return this.#stepOnce();
    if (vector === NUMERIC_ERROR) {
      // FERR#. The instruction waits, as if behind HLT; when a handler returns to it, it looks again.
      state.setNumber(STATE.halted, ACTIVITY.halted);
      this.onNumericError?.();
      return true;
    }
    if (vector === NON_CANONICAL) return this.#deliverNonCanonical();
    if (state.getNumber(STATE.exceptionHasErrorCode) === 0) return deliverEvent(this.#group, vector);
    return deliverEvent(this.#group, vector, { errorCode: state.getNumber(STATE.exceptionErrorCode) });
  }

  #deliverNonCanonical(): boolean {
    const group = this.#group;
    const { state } = group;
    const linear = group.cells.getBigUint64(CELLS.physicalAddress, true);
    const block = group.decode(state.get(STATE.rip), ONE_INSTRUCTION.maxInstructions);
    // What cannot be fetched has not been executed either: the address was that of the instruction.
    state.setNumber(STATE.exceptionVector, 0);
    return deliverEvent(group, nonCanonicalVector(state, block, linear), { errorCode: 0 });
  }

  #stepOnce(): boolean {
    const { state } = this.#group;
    const flags = state.getNumber(STATE.systemFlags);
    if (!(flags & RFLAGS.RF)) {
      const hits = this.#instructionHits();
      if (hits !== 0) {
        // Nothing is retired, for ever where the handler has a breakpoint itself and RF is not saved, as in real mode.
        this.#exceptions++;
        return this.#deliverDebug(BigInt(hits), { fault: true });
      }
    }
    state.setNumber(STATE.interruptShadow, 0);
    state.setNumber(STATE.trapInhibited, 0);
    state.setNumber(STATE.eventPending, 0);
    state.set(STATE.instructionDeadline, 0n);
    const hash = this.#plantStep();
    if (hash === undefined) return this.#deliverException();
    const { cells, core } = this.#group;
    const result = core.exports.run();
    // A step block is not for running twice.
    cells.setInt32(hash + RIP_HASH.cell, CELLS.zero, true);
    cells.setInt32(hash + RIP_HASH.check, 1, true);
    if (result === RUN_RESULT.exception) {
      // A fault comes in place of the traps of the instruction.
      state.setNumber(STATE.debugHits, 0);
      return this.#deliverException();
    }
    if (flags & RFLAGS.RF) state.setNumber(STATE.systemFlags, state.getNumber(STATE.systemFlags) & ~RFLAGS.RF);
    if (state.getNumber(STATE.trapInhibited) !== 0) return true;
    const traps = BigInt(state.getNumber(STATE.debugHits)) | (flags & RFLAGS.TF ? DR6.BS : 0n);
    return traps === 0n || this.#deliverDebug(traps, { kind: "trap" });
  }

  #deliverDebug(causes: bigint, options: EventOptions): boolean {
    const { state } = this.#group;
    state.setNumber(STATE.debugHits, 0);
    state.setNumber(STATE.halted, ACTIVITY.runs);
    state.set(STATE.dr6, (state.get(STATE.dr6) & ~DR6.HITS) | causes);
    return deliverEvent(this.#group, VECTOR.DB, options);
  }

  #instructionHits(): number {
    const { state } = this.#group;
    if (!(state.getNumber(STATE.debugArmed) & ARMED.instruction)) return 0;
    const rip = state.get(STATE.rip);
    const long = state.getNumber(STATE.codeMode) === 8;
    return instructionHits(state, long ? rip : BigInt.asUintN(32, rip + state.segment("cs", "base")));
  }

  /** Puts a block of one instruction where the module will look first; yields the address of the hash entry. */
  #plantStep(): number | undefined {
    const { state } = this;
    const rip = state.get(STATE.rip);
    const { cells } = this.#group;
    const block = this.#group.decode(rip, ONE_INSTRUCTION.maxInstructions);
    if (!block) return undefined;
    const address = this.blocks.add({ ...block, crossesPage: true }, undefined, 0, undefined);
    const area = (state.getNumber(STATE.cpl) === 3 ? AREA.user : AREA.supervisor) + this.index * VCPU_AREA.size;
    const index = Number(BigInt.asUintN(32, rip ^ (rip >> 14n))) & (RIP_HASH.entries - 1);
    const hash = area + AREA.ripHash + index * RIP_HASH.entrySize;
    cells.setBigUint64(hash + RIP_HASH.rip, rip, true);
    cells.setInt32(hash + RIP_HASH.block, address, true);
    cells.setInt32(hash + RIP_HASH.cell, CELLS.zero, true);
    cells.setInt32(hash + RIP_HASH.check, 0, true);
    return hash;
  }
}
