// Which registers matter where in a region. Registers live in locals: those that differ from memory have to be stored on every
// way out, and only those that are looked at before they are overwritten have to be loaded on the way in and behind calls. Sets of
// registers are bits of a number: general registers are 0 to 15, vector registers (their low 128 bits) are 16 to 31.
import type { OperationFields } from "./block-source.ts";
import type { PreparedForm, RegisterUse } from "./prepared-forms.ts";
import type { RegionNode } from "./region.ts";

/** Bit of vector register 0. */
export const FIRST_VECTOR = 16;

export interface NodeRegisters {
  /** May differ from memory at the start of the node. */
  readonly dirty: number;
  /** Have to be in their locals at the start of the node. */
  readonly live: number;
  /** Known to be zero at the start of the node (BLOCKED_SLOTS). */
  readonly unblocked: number;
  /** General registers whose bits 63..32 are known to be zero there. */
  readonly narrow: number;
}

export interface RegionRegisters {
  readonly nodes: readonly NodeRegisters[];
  readonly used: number;
  /** Sets that may differ from memory where the region is left, larger ones first; the empty one is the last. */
  readonly dirtySets: readonly number[];
}

/** Ways out that share their stores; others do without. */
const MAX_DIRTY_SETS = 16;

export interface RegisterEffect {
  /** Looked at, or changed only in part or only perhaps. */
  readonly read: number;
  readonly written: number;
  /** General registers whose upper half it clears, and those of which it may set it. */
  readonly narrowed: number;
  readonly widened: number;
}

export function registersOfRegion(nodes: readonly RegionNode[]): RegionRegisters {
  const effects = nodes.map(({ block }) => block.operations.map(({ effect }) => effect));
  const blocks = effects.map(sequence);
  const dirty = dirtyAtStart(nodes, blocks);
  const live = liveAtStart(nodes, blocks, dirty);
  const unblocked = unblockedAtStart(nodes);
  const narrow = narrowAtStart(nodes, blocks);
  return {
    nodes: nodes.map((_, n) => ({
      dirty: dirty[n] as number,
      live: live[n] as number,
      unblocked: unblocked[n] as number,
      narrow: narrow[n] as number,
    })),
    used: blocks.reduce((used, { read, written }) => used | read | written, 0),
    dirtySets: dirtySets(effects, dirty),
  };
}

const ALL_GENERAL = (1 << FIRST_VECTOR) - 1;

export function effectOf({ registers, mayBlock }: PreparedForm, fields: OperationFields): RegisterEffect {
  let read = 0;
  let written = 0;
  let narrowed = 0;
  let widened = mayBlock ? ALL_GENERAL : 0;
  for (let n = 0; n < registers.length; n++) {
    const { file, selector, reads, writes, upperHalf } = registers[n] as RegisterUse;
    const register = selector.kind === "fixed" ? selector.register : fields[selector.field];
    const number = file === "general" ? register >> 3 : register;
    // Pseudo registers.
    if (number > 15) continue;
    const bit = 1 << (file === "general" ? number : FIRST_VECTOR + number);
    if (reads) read |= bit;
    if (writes) written |= bit;
    if (upperHalf === "cleared") narrowed |= bit;
    if (upperHalf === "any") widened |= bit;
  }
  return { read, written, narrowed: narrowed & ~widened, widened: widened & ALL_GENERAL };
}

function sequence(effects: readonly RegisterEffect[]): RegisterEffect {
  let [read, written, narrowed, widened] = [0, 0, 0, 0];
  for (const effect of effects) {
    read |= effect.read & ~written;
    written |= effect.written;
    narrowed = (narrowed & ~effect.widened) | effect.narrowed;
    widened = (widened & ~effect.narrowed) | effect.widened;
  }
  return { read, written, narrowed, widened };
}

/** Forward to a fixed point. A call leaves nothing dirty behind. */
function dirtyAtStart(nodes: readonly RegionNode[], blocks: readonly RegisterEffect[]): number[] {
  const start = nodes.map(() => 0);
  for (let changed = true; changed; ) {
    changed = false;
    for (const [n, { successors }] of nodes.entries()) {
      for (const [kind, to] of successors) {
        const out = kind === "return" ? 0 : (start[n] as number) | (blocks[n] as RegisterEffect).written;
        if (((start[to] as number) | out) === start[to]) continue;
        start[to] = (start[to] as number) | out;
        changed = true;
      }
    }
  }
  return start;
}

/** Backwards to a fixed point. What may be dirty is looked at by the next way out. */
function liveAtStart(
  nodes: readonly RegionNode[],
  blocks: readonly RegisterEffect[],
  dirty: readonly number[],
): number[] {
  const live = nodes.map((_, n) => (dirty[n] as number) | (blocks[n] as RegisterEffect).read);
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = nodes.length - 1; n >= 0; n--) {
      let out = 0;
      for (const [kind, to] of (nodes[n] as RegionNode).successors) if (kind !== "return") out |= live[to] as number;
      const start = (live[n] as number) | (out & ~(blocks[n] as RegisterEffect).written);
      changed ||= start !== live[n];
      live[n] = start;
    }
  }
  return live;
}

/** Forward to a fixed point, from all that any node finds out: what holds on every way to a node. */
function unblockedAtStart(nodes: readonly RegionNode[]): number[] {
  const kept = nodes.map(({ block }) => !block.operations.some(({ prepared }) => prepared.mayBlock));
  const found = nodes.map(({ block }) => block.operations.reduce((bits, { prepared }) => bits | prepared.checks, 0));
  const all = found.reduce((bits, own) => bits | own, 0);
  const start = nodes.map((_, n) => (n === 0 ? 0 : all));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [n, { successors }] of nodes.entries()) {
      for (const [kind, to] of successors) {
        const out = kind === "return" || !kept[n] ? 0 : (start[n] as number) | (found[n] as number);
        if (((start[to] as number) & out) === start[to]) continue;
        start[to] = (start[to] as number) & out;
        changed = true;
      }
    }
  }
  return start;
}

/** Forward to a fixed point: what holds on every way to a node. Whoever is called may write all of each register. */
function narrowAtStart(nodes: readonly RegionNode[], blocks: readonly RegisterEffect[]): number[] {
  const start = nodes.map((_, n) => (n === 0 ? 0 : ALL_GENERAL));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [n, { successors }] of nodes.entries()) {
      const { narrowed, widened } = blocks[n] as RegisterEffect;
      const end = ((start[n] as number) & ~widened) | narrowed;
      for (const [kind, to] of successors) {
        const out = kind === "return" ? 0 : end;
        if (((start[to] as number) & out) === start[to]) continue;
        start[to] = (start[to] as number) & out;
        changed = true;
      }
    }
  }
  return start;
}

function dirtySets(effects: readonly (readonly RegisterEffect[])[], dirty: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const [n, operations] of effects.entries()) {
    let set = dirty[n] as number;
    for (const { written } of operations) {
      counts.set(set, (counts.get(set) ?? 0) + 1);
      set |= written;
    }
    counts.set(set, (counts.get(set) ?? 0) + 1);
  }
  counts.delete(0);
  const frequent = [...counts].sort(([, a], [, b]) => b - a).slice(0, MAX_DIRTY_SETS);
  return [...frequent.map(([set]) => set).sort((a, b) => sizeOf(b) - sizeOf(a)), 0];
}

function sizeOf(set: number): number {
  let size = 0;
  for (let rest = set; rest; rest &= rest - 1) size++;
  return size;
}
