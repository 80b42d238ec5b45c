// Linear memory for helpers: the Wasm module's own translation, called from TypeScript.

import { VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { CpuException, type LinearMemory, NON_CANONICAL } from "../context.ts";
import type { CoreInstance } from "../core-instance.ts";
import type { CpuState } from "../cpu-state.ts";
import { ACCESS, PAGE_SIZE } from "./memory-layout.ts";

export class CoreLinearMemory implements LinearMemory {
  readonly #core: CoreInstance;
  readonly #state: CpuState;

  constructor(core: CoreInstance, state: CpuState) {
    this.#core = core;
    this.#state = state;
  }

  read(address: bigint, size: 1 | 2 | 4 | 8, supervisor = false): bigint {
    const value = this.#core.exports.load(address, size, this.#user(supervisor));
    this.#throwPending();
    return BigInt.asUintN(64, value);
  }

  write(address: bigint, size: 1 | 2 | 4 | 8, value: bigint, supervisor = false): void {
    this.#core.exports.store(address, value, size, this.#user(supervisor) | ACCESS.write);
    this.#throwPending();
  }

  readBytes(address: bigint, target: Uint8Array, supervisor = false): void {
    this.#transfer(address, target, this.#user(supervisor));
  }

  /** All pages are checked before anything is written: one or two. */
  writeBytes(address: bigint, source: Uint8Array, supervisor = false): void {
    const access = this.#user(supervisor) | ACCESS.write;
    if (Number(BigInt.asUintN(12, address)) + source.length > PAGE_SIZE) {
      this.#core.exports.probe(address, source.length, access);
      this.#throwPending();
    }
    this.#transfer(address, source, access);
  }

  flush(keepGlobal: boolean): void {
    this.#core.exports.flush(keepGlobal ? 1 : 0);
  }

  invalidatePage(address: bigint): void {
    this.#core.exports.invalidatePage(address);
  }

  #user(supervisor: boolean): number {
    return !supervisor && this.#state.getNumber(STATE.cpl) === 3 ? ACCESS.user : 0;
  }

  #transfer(address: bigint, bytes: Uint8Array, access: number): void {
    const write = (access & ACCESS.write) !== 0;
    for (let at = 0; at < bytes.length; ) {
      const linear = address + BigInt(at);
      const length = Math.min(bytes.length - at, PAGE_SIZE - Number(BigInt.asUintN(12, linear)));
      const host = this.#core.exports.translate(linear, access, length);
      this.#throwPending();
      const part = bytes.subarray(at, at + length);
      if (host === -1) this.#transferDevice(linear, part, access);
      else {
        const guest = this.#core.guest.subarray(host >>> 0, (host >>> 0) + length);
        if (write) guest.set(part);
        else part.set(guest);
      }
      at += length;
    }
  }

  #transferDevice(linear: bigint, part: Uint8Array, access: number): void {
    const supervisor = (access & ACCESS.user) === 0;
    for (let n = 0; n < part.length; n++) {
      if (access & ACCESS.write) this.write(linear + BigInt(n), 1, BigInt(part[n] ?? 0), supervisor);
      else part[n] = Number(this.read(linear + BigInt(n), 1, supervisor));
    }
  }

  /** The module leaves exceptions pending; helpers expect them thrown. */
  #throwPending(): void {
    const pending = this.#state.getNumber(STATE.exceptionVector);
    if (pending !== 0) throw takeException(this.#state);
  }
}

/** Clears the pending exception and yields it. */
export function takeException(state: CpuState): CpuException {
  const pending = state.getNumber(STATE.exceptionVector) - 1;
  const vector = pending === NON_CANONICAL ? VECTOR.GP : pending;
  state.setNumber(STATE.exceptionVector, 0);
  const hasErrorCode = state.getNumber(STATE.exceptionHasErrorCode) !== 0;
  return new CpuException(vector, hasErrorCode ? state.getNumber(STATE.exceptionErrorCode) : undefined);
}

export function setException(state: CpuState, { vector, errorCode }: CpuException): void {
  state.setNumber(STATE.exceptionVector, vector + 1);
  state.setNumber(STATE.exceptionErrorCode, errorCode ?? 0);
  state.setNumber(STATE.exceptionHasErrorCode, errorCode === undefined ? 0 : 1);
}
