// Where a running machine's time goes: counters of the core over some seconds, and samples of RIP between slices. Blocks end where a slice
// does, so a sample is the start of a block.
import type { CoreCounters } from "../cpu/counters.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineRunner } from "../machine/runner.ts";
import type { VmProfile } from "../protocol/engine.ts";
import { STATE } from "../x86/state-layout.ts";

export interface Profiled {
  readonly machine: Machine;
  readonly runner: MachineRunner;
  counters(): CoreCounters;
}

const MAX_SAMPLES = 200;
const USER_CPL = 3;

/** Watches for `seconds`; the guest runs as it would. */
export async function profile(profiled: Profiled, seconds: number): Promise<VmProfile> {
  const { runner } = profiled;
  const before = snapshot(profiled);
  const sampler = new Sampler(profiled.machine);
  const watch = runner.onSlice(() => sampler.take());
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  watch.dispose();
  const after = snapshot(profiled);
  const [a, b] = [before.counters, after.counters];
  const compiled = (name: "regions" | "modules" | "wasmBytes" | "compileMs"): number =>
    (b.jit?.[name] ?? 0) - (a.jit?.[name] ?? 0);
  return {
    ms: after.atMs - before.atMs,
    cpuMs: after.cpuMs - before.cpuMs,
    instructions: Number(after.instructions - before.instructions),
    compiledInstructions: b.compiledInstructions - a.compiledInstructions,
    tlbMisses: b.tlbMisses - a.tlbMisses,
    exits: Object.fromEntries(
      (Object.keys(b.exits) as (keyof typeof b.exits)[]).map((reason) => [reason, b.exits[reason] - a.exits[reason]]),
    ),
    compiled: {
      regions: compiled("regions"),
      modules: compiled("modules"),
      wasmBytes: compiled("wasmBytes"),
      compileMs: compiled("compileMs"),
    },
    ...sampler.result(),
  };
}

function snapshot({ machine, counters }: Profiled) {
  const { user, system } = process.cpuUsage();
  return {
    atMs: performance.now(),
    cpuMs: (user + system) / 1000,
    instructions: machine.instructions,
    counters: counters(),
  };
}

class Sampler {
  readonly #machine: Machine;
  readonly #places = new Map<string, { rip: string; user: boolean; count: number }>();
  #count = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  take(): void {
    const { state } = this.#machine.vcpu;
    if (state.getNumber(STATE.halted) !== 0) return;
    const rip = state.get(STATE.rip).toString(16);
    const user = state.getNumber(STATE.cpl) === USER_CPL;
    const key = `${rip} ${user}`;
    const place = this.#places.get(key);
    if (place) place.count++;
    else this.#places.set(key, { rip, user, count: 1 });
    this.#count++;
  }

  result(): Pick<VmProfile, "sampleCount" | "samples"> {
    const samples = [...this.#places.values()].sort((a, b) => b.count - a.count).slice(0, MAX_SAMPLES);
    return { sampleCount: this.#count, samples };
  }
}
