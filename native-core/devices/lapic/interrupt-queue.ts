// The interrupts of a local APIC that wait or are in service, and who goes first (SDM 3A 11.8.3, 11.8.4).
import type { LapicState } from "./lapic-state.ts";
import { LAPIC } from "./registers.ts";
import { VectorSet } from "./vector-set.ts";

export class InterruptQueue {
  readonly #irr = new VectorSet();
  readonly #isr = new VectorSet();
  readonly #tmr = new VectorSet();
  /** TPR: classes (bits 7..4) up to its own wait. */
  taskPriority = 0;

  /** A vector waits from now on. */
  add(vector: number, levelTriggered: boolean): void {
    if (levelTriggered) this.#tmr.add(vector);
    else this.#tmr.remove(vector);
    this.#irr.add(vector);
  }

  /** PPR. */
  get processorPriority(): number {
    const inService = Math.max(0, this.#isr.highest());
    return this.taskPriority >>> 4 >= inService >>> 4 ? this.taskPriority : inService & 0xf0;
  }

  /** Highest waiting vector whose class is above the processor's priority class; -1 when there is none. */
  get deliverable(): number {
    const vector = this.#irr.highest();
    return vector >= 0 && vector >>> 4 > this.processorPriority >>> 4 ? vector : -1;
  }

  /** Takes a waiting vector into service. */
  take(vector: number): void {
    this.#irr.remove(vector);
    this.#isr.add(vector);
  }

  /** Ends the highest one in service; undefined when there was none. */
  end(): { readonly vector: number; readonly levelTriggered: boolean } | undefined {
    const vector = this.#isr.highest();
    if (vector < 0) return undefined;
    this.#isr.remove(vector);
    return { vector, levelTriggered: this.#tmr.has(vector) };
  }

  /** 32 vectors of the ISR, TMR or IRR, by the register's offset. */
  read(offset: number): number {
    const set = offset < LAPIC.TMR ? this.#isr : offset < LAPIC.IRR ? this.#tmr : this.#irr;
    return set.words[(offset >>> 4) & 7] ?? 0;
  }

  clear(): void {
    this.taskPriority = 0;
    this.#irr.clear();
    this.#isr.clear();
    this.#tmr.clear();
  }

  save(): Pick<LapicState, "tpr" | "irr" | "isr" | "tmr"> {
    return {
      tpr: this.taskPriority,
      irr: [...this.#irr.words],
      isr: [...this.#isr.words],
      tmr: [...this.#tmr.words],
    };
  }

  restore(state: Pick<LapicState, "tpr" | "irr" | "isr" | "tmr">): void {
    this.taskPriority = state.tpr;
    this.#irr.words.set(state.irr);
    this.#isr.words.set(state.isr);
    this.#tmr.words.set(state.tmr);
  }
}
