// What a case of SingleStepTests is, whatever the format of its file: one instruction, with the state before and after.

export type StepProcessor = "8086" | "80286" | "80386";

export interface StepState {
  /** Those that are given, by their 16-bit names ("ax", "ip", "flags"), 32 bits wide for an 80386. */
  readonly registers: ReadonlyMap<string, number>;
  readonly ram: readonly (readonly [address: number, byte: number])[];
}

export interface StepTest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly initial: StepState;
  /** What differs from the initial state. */
  readonly final: StepState;
  /** Bits of registers that count; all of them where none are named. */
  readonly masks: ReadonlyMap<string, number>;
  /** What it ended in. The suite also says where the flags were pushed, but one byte too low for odd stack pointers. */
  readonly exception?: { readonly vector: number };
}

export interface StepFile {
  /** An 8088 is an 8086 here. */
  readonly processor: StepProcessor;
  readonly tests: readonly StepTest[];
}

/** Of the names that the suites use: "8088", "286 ", "C286", "386E". Undefined: another one. */
export function processorOf(name: string): StepProcessor | undefined {
  if (/808[68]/.test(name)) return "8086";
  if (/286/.test(name)) return "80286";
  return /386/.test(name) ? "80386" : undefined;
}
