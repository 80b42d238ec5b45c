// Reads the JSON files of SingleStepTests: those of the 8088 and 8086, and what the suite's own converter makes of MOO files of later
// processors, whose registers have their 32-bit names.
import { processorOf, type StepFile, type StepState, type StepTest } from "./step-test.ts";

interface JsonState {
  readonly regs?: Readonly<Record<string, number>>;
  readonly masks?: Readonly<Record<string, number>>;
  readonly ram?: readonly (readonly [number, number])[];
}

interface JsonTest {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly initial: JsonState;
  readonly final: JsonState;
  readonly exception?: { readonly number: number };
}

/** `processor`: from metadata.json, which not every folder has; then registers tell an 80386, and all else counts as an 8086. */
export function readJson(text: string, processor: string): StepFile {
  const tests = JSON.parse(text) as readonly JsonTest[];
  const isWide = tests[0]?.initial.regs?.["eax"] !== undefined;
  return { processor: isWide ? "80386" : (processorOf(processor) ?? "8086"), tests: tests.map(testOf) };
}

function testOf({ name, bytes, initial, final, exception }: JsonTest): StepTest {
  return {
    name,
    bytes: Uint8Array.from(bytes),
    initial: stateOf(initial),
    final: stateOf(final),
    masks: registersOf(final.masks),
    ...(exception ? { exception: { vector: exception.number } } : {}),
  };
}

const stateOf = ({ regs, ram = [] }: JsonState): StepState => ({ registers: registersOf(regs), ram });

const registersOf = (registers: Readonly<Record<string, number>> = {}): ReadonlyMap<string, number> =>
  new Map(Object.entries(registers).map(([name, value]) => [name.replace(/^e(?=..$|flags$)/, ""), value >>> 0]));
