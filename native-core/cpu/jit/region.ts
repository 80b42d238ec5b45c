// A region: blocks of one page that reach each other by direct branches, as a flow graph that structured control flow can express.
//
// Nodes are in reverse postorder, node 0 is the entry. An edge that goes backwards to a node which does not dominate its source makes
// the graph irreducible; such edges are cut: they leave the region and come back through the dispatcher.
import type { CompiledBlock } from "./block-source.ts";

/** How a block leads to another: by its exits, or `return`: a call in it comes back there. */
export type EdgeKind = "relative" | "next" | "return";

export interface RegionNode {
  readonly block: CompiledBlock;
  /** Index of the node that the exit leads to; absent if it leaves the region. */
  readonly successors: ReadonlyMap<EdgeKind, number>;
  /** Nodes immediately dominated that several edges lead forward to, in descending order. */
  readonly mergeChildren: readonly number[];
  readonly isLoop: boolean;
  readonly isMerge: boolean;
}

export interface Region {
  readonly nodes: readonly RegionNode[];
}

export interface RegionLimits {
  readonly maxBlocks: number;
  readonly maxOperations: number;
}

/** Finds a block by its offset in the page; undefined where there is none worth including. */
export type BlockFinder = (pageOffset: number) => CompiledBlock | undefined;

export function discoverRegion(entry: CompiledBlock, find: BlockFinder, limits: RegionLimits): Region {
  const blocks = collect(entry, find, limits);
  const order = reversePostorder(entry, blocks);
  const index = new Map(order.map((block, n) => [block, n]));
  const edges = order.map((block) => {
    const successors = new Map<EdgeKind, number>();
    for (const [kind, offset] of block.targets) {
      const target = blocks.get(offset);
      const to = target && index.get(target);
      if (to !== undefined) successors.set(kind, to);
    }
    return successors;
  });
  const first = dominators(edges);
  for (const [from, successors] of edges.entries()) {
    for (const [kind, to] of successors) if (to <= from && !dominates(first, to, from)) successors.delete(kind);
  }
  return { nodes: structure(order, edges) };
}

function collect(entry: CompiledBlock, find: BlockFinder, limits: RegionLimits): Map<number, CompiledBlock> {
  const blocks = new Map([[entry.pageOffset, entry]]);
  const pending = [entry];
  let operations = entry.operations.length;
  for (let block = pending.shift(); block; block = pending.shift()) {
    for (const offset of block.targets.values()) {
      if (blocks.has(offset) || blocks.size >= limits.maxBlocks) continue;
      const target = find(offset);
      if (!target || operations + target.operations.length > limits.maxOperations) continue;
      operations += target.operations.length;
      blocks.set(offset, target);
      pending.push(target);
    }
  }
  return blocks;
}

function reversePostorder(entry: CompiledBlock, blocks: ReadonlyMap<number, CompiledBlock>): CompiledBlock[] {
  const order: CompiledBlock[] = [];
  const seen = new Set<CompiledBlock>();
  const visit = (block: CompiledBlock): void => {
    seen.add(block);
    for (const offset of block.targets.values()) {
      const target = blocks.get(offset);
      if (target && !seen.has(target)) visit(target);
    }
    order.push(block);
  };
  visit(entry);
  return order.reverse();
}

type Edges = readonly ReadonlyMap<EdgeKind, number>[];

/** Immediate dominators by iteration to a fixed point (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm). */
function dominators(edges: Edges): number[] {
  const predecessors: number[][] = edges.map(() => []);
  for (const [from, successors] of edges.entries()) for (const to of successors.values()) predecessors[to]?.push(from);
  const idom: number[] = edges.map((_, n) => (n === 0 ? 0 : -1));
  const intersect = (a: number, b: number): number => {
    let [x, y] = [a, b];
    while (x !== y) {
      while (x > y) x = idom[x] as number;
      while (y > x) y = idom[y] as number;
    }
    return x;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let node = 1; node < edges.length; node++) {
      let dominator = -1;
      for (const from of predecessors[node] as number[]) {
        if (idom[from] === -1) continue;
        dominator = dominator === -1 ? from : intersect(from, dominator);
      }
      if (idom[node] === dominator) continue;
      idom[node] = dominator;
      changed = true;
    }
  }
  return idom;
}

function dominates(idom: readonly number[], a: number, b: number): boolean {
  let node = b;
  while (node > a) node = idom[node] as number;
  return node === a;
}

function structure(order: readonly CompiledBlock[], edges: Edges): RegionNode[] {
  const idom = dominators(edges);
  const forward = order.map(() => 0);
  const loops = order.map(() => false);
  for (const [from, successors] of edges.entries()) {
    for (const to of successors.values()) {
      if (to <= from) loops[to] = true;
      else forward[to] = (forward[to] as number) + 1;
    }
  }
  const isMerge = (node: number): boolean => (forward[node] as number) > 1;
  return order.map((block, node) => ({
    block,
    successors: edges[node] as ReadonlyMap<EdgeKind, number>,
    mergeChildren: order
      .map((_, n) => n)
      .filter((n) => n > 0 && idom[n] === node && isMerge(n))
      .reverse(),
    isLoop: loops[node] as boolean,
    isMerge: isMerge(node),
  }));
}
