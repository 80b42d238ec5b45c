// Fetches code for the decoder: from the current CS, through the execute TLB, page by page.
import { VECTOR } from "../x86/registers.ts";
import { STATE } from "../x86/state-layout.ts";
import { CpuException } from "./context.ts";
import type { CoreInstance } from "./core-instance.ts";
import type { CpuState } from "./cpu-state.ts";
import { setException } from "./mmu/linear-memory.ts";
import { ACCESS, CELLS, PAGE_SIZE } from "./mmu/memory-layout.ts";

const CODE_MODE_64 = 8;
/** Bytes read at once from code that is not in RAM: at least as many as the longest instruction. */
const DEVICE_BYTES = 32;

export class CodeReader {
  readonly #core: CoreInstance;
  readonly #state: CpuState;
  readonly #bus: { readMmio(address: number, size: 1 | 2 | 4): number };
  readonly #guest: Uint8Array;
  readonly #cells: DataView;
  #pagesRead = 0;
  #secondHost: number | undefined;

  constructor(core: CoreInstance, state: CpuState, bus: { readMmio(address: number, size: 1 | 2 | 4): number }) {
    this.#core = core;
    this.#state = state;
    this.#bus = bus;
    this.#guest = core.guest;
    this.#cells = new DataView(core.memory.buffer);
  }

  /** To be called before each block. */
  start(): void {
    this.#pagesRead = 0;
    this.#secondHost = undefined;
  }

  /** Host address of the second page that the current block was read from, if it is RAM. */
  get secondHost(): number | undefined {
    return this.#secondHost;
  }

  /** Bytes from an offset in CS to the end of their page or of the segment; undefined with an exception pending. */
  read(offset: bigint): Uint8Array | undefined {
    const long = this.#state.getNumber(STATE.codeMode) === CODE_MODE_64;
    const limit = this.#state.segment("cs", "limit");
    if (!long && offset > limit) {
      setException(this.#state, new CpuException(VECTOR.GP, 0));
      return undefined;
    }
    const base = long ? 0n : this.#state.segment("cs", "base");
    const linear = long ? offset : BigInt.asUintN(32, base + offset);
    const user = this.#state.getNumber(STATE.cpl) === 3 ? ACCESS.user : 0;
    const host = this.#core.exports.translate(linear, ACCESS.fetch | user, 1);
    if (this.#state.getNumber(STATE.exceptionVector) !== 0) return undefined;
    let length = PAGE_SIZE - Number(BigInt.asUintN(12, linear));
    if (!long && BigInt(length) > limit - offset + 1n) length = Number(limit - offset) + 1;
    if (this.#pagesRead++ > 0 && host !== -1) this.#secondHost = host >>> 0;
    if (host === -1) return this.#readDevice(length);
    return this.#guest.subarray(host >>> 0, (host >>> 0) + length);
  }

  #readDevice(length: number): Uint8Array {
    const physical = Number(this.#cells.getBigUint64(CELLS.physicalAddress, true));
    const bytes = new Uint8Array(Math.min(length, DEVICE_BYTES));
    for (let n = 0; n < bytes.length; n++) bytes[n] = this.#bus.readMmio(physical + n, 1);
    return bytes;
  }
}
