// Two machines that differ in the tier they run on, one interpreted, one compiled, slice by slice in instruction time: after each slice
// all that a guest can see must be the same.
import type { Machine } from "../../native-core/machine/machine.ts";
import type { CoreProcessor } from "../../native-core/machine/processor.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";

export interface Side {
  readonly machine: Machine;
  readonly memory: CoreProcessor["memory"];
}

export interface Difference {
  /** Instructions retired when the sides were last known to agree, and when they did not. */
  readonly agreedAt: bigint;
  readonly foundAt: bigint;
  readonly rip: string;
  /** `name: interpreted, compiled` for each part that differs. */
  readonly parts: readonly string[];
}

export interface LockstepEnd {
  readonly difference: Difference | undefined;
  readonly instructions: bigint;
}

/** Slices between comparisons of all memory, which take the time of many slices. */
const SLICES_PER_MEMORY = 64;
const MAX_PARTS = 20;

/** Runs both until `done`, the guest's end, or the first difference. */
export function runLockstep(
  interpreted: Side,
  compiled: Side,
  sliceNs: bigint,
  done: (instructions: bigint) => boolean,
): LockstepEnd {
  for (const { machine } of [interpreted, compiled]) machine.resume();
  let agreedAt = interpreted.machine.instructions;
  for (let slice = 1; ; slice++) {
    const [a, b] = [interpreted, compiled].map(({ machine }) => machine.runSlice(sliceNs).state);
    const instructions = interpreted.machine.instructions;
    const ended = a !== "running" && a !== "halted";
    const withMemory = slice % SLICES_PER_MEMORY === 0 || ended;
    const parts = a === b ? differences(interpreted, compiled, withMemory) : [`end of the slice: ${a}, ${b}`];
    if (parts.length > 0) {
      const rip = interpreted.machine.vcpu.state.get(STATE.rip).toString(16);
      return { difference: { agreedAt, foundAt: instructions, rip, parts }, instructions };
    }
    if (ended || done(instructions)) return { difference: undefined, instructions };
    agreedAt = instructions;
  }
}

function differences(a: Side, b: Side, withMemory: boolean): string[] {
  const [first, second] = [flatten(a.machine.save()), flatten(b.machine.save())];
  const parts: string[] = [];
  for (const [name, value] of first)
    if (second.get(name) !== value) parts.push(`${name}: ${value}, ${second.get(name)}`);
  if (withMemory) {
    const at = firstDifference(a.memory.bytes(), b.memory.bytes());
    if (at !== undefined) parts.push(`memory at 0x${at.toString(16)}`);
  }
  return parts.slice(0, MAX_PARTS);
}

/** Leaves of a saved state by their path. */
function flatten(value: unknown, path = "", leaves = new Map<string, string>()): Map<string, string> {
  if (ArrayBuffer.isView(value))
    leaves.set(path, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex"));
  else if (typeof value === "object" && value !== null)
    for (const [name, part] of Object.entries(value)) flatten(part, path === "" ? name : `${path}.${name}`, leaves);
  else leaves.set(path, typeof value === "bigint" ? `0x${value.toString(16)}` : String(value));
  return leaves;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const chunk = 1 << 20;
  for (let at = 0; at < a.length; at += chunk) {
    const [x, y] = [a.subarray(at, at + chunk), b.subarray(at, at + chunk)];
    if (Buffer.compare(x, y) !== 0) return at + x.findIndex((byte, n) => byte !== y[n]);
  }
  return undefined;
}
