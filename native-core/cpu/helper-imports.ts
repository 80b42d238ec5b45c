// Helpers as the Wasm module imports them: operands unsigned, exceptions caught and left pending.
import { type CpuContext, CpuException, type Helper } from "./context.ts";
import type { HelperImports } from "./core-instance.ts";
import { HELPERS } from "./helpers/registry.ts";
import { setException } from "./mmu/linear-memory.ts";

const unsigned = (value: bigint | undefined): bigint => BigInt.asUintN(64, value ?? 0n);

/** `cpu` is only looked at when a helper runs, so it may still be under construction. */
export function helperImports(cpu: CpuContext): HelperImports {
  return Object.fromEntries(Object.entries(HELPERS).map(([name, helper]) => [name, guarded(cpu, helper)]));
}

function guarded(cpu: CpuContext, helper: Helper): (...args: bigint[]) => bigint {
  return (a, b, c, d, ...rest) => {
    try {
      if (a === undefined) return helper(cpu);
      if (b === undefined) return helper(cpu, unsigned(a));
      if (c === undefined) return helper(cpu, unsigned(a), unsigned(b));
      if (d === undefined) return helper(cpu, unsigned(a), unsigned(b), unsigned(c));
      if (rest.length === 0) return helper(cpu, unsigned(a), unsigned(b), unsigned(c), unsigned(d));
      return helper(cpu, unsigned(a), unsigned(b), unsigned(c), unsigned(d), ...rest.map(unsigned));
    } catch (error) {
      if (!(error instanceof CpuException)) throw error;
      setException(cpu.state, error);
      return 0n;
    }
  };
}
