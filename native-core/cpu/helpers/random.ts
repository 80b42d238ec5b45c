// RDRAND and RDSEED: numbers from the platform, which takes them from the host, or from the record of a run that is replayed.
import type { CpuContext, Helper } from "../context.ts";

const bytes = new Uint8Array(8);
const view = new DataView(bytes.buffer);

/** 64 random bits; the instruction keeps as many as its operand has. */
const random = ({ platform }: CpuContext): bigint => {
  platform.random(bytes);
  return view.getBigUint64(0, true);
};

export const RANDOM_HELPERS: Record<string, Helper> = { random };
