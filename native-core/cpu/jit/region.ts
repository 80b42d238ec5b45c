// A region: sites (discover-region.ts) as a flow graph that structured control flow can express.
//
// Nodes are in reverse postorder, node 0 is the entry. An edge that goes backwards to a node which does not dominate its source makes
// the graph irreducible; such edges are cut: they leave the region and come back through the dispatcher.
import type { CompiledBlock } from "./block-source.ts";
import { isAlways } from "./computed-targets.ts";
import { type BlockFinder, discoverSites, type EdgeKind, type RegionLimits, type Site } from "./discover-region.ts";

export interface RegionNode {
  readonly block: CompiledBlock;
  /** Index of the node that the exit leads to; absent if it leaves the region. */
  readonly successors: ReadonlyMap<EdgeKind, number>;
  /** Not part of the function that the region is entered by. */
  readonly isInlined: boolean;
  /** Nodes immediately dominated that several edges lead forward to, in descending order. */
  readonly mergeChildren: readonly number[];
  readonly isLoop: boolean;
  readonly isMerge: boolean;
}

export interface Region {
  readonly nodes: readonly RegionNode[];
}

export function discoverRegion(entry: CompiledBlock, find: BlockFinder, limits: RegionLimits): Region {
  const order = reversePostorder(discoverSites(entry, find, limits));
  const index = new Map(order.map((site, n) => [site, n]));
  const edges = order.map((site) => new Map([...reachable(site)].map(([kind, to]) => [kind, index.get(to) as number])));
  const first = dominators(edges);
  for (const [from, successors] of edges.entries()) {
    for (const [kind, to] of successors) if (to <= from && !dominates(first, to, from)) successors.delete(kind);
  }
  return { nodes: structure(order, edges) };
}

/** Where a call is inlined, only the function's returns lead to what is behind it, unless it sometimes calls another one. */
function reachable({ edges, block }: Site): ReadonlyMap<EdgeKind, Site> {
  const isInlined = edges.has("call") || (block.computed && edges.has("way 0") && isAlways(block.computed));
  if (!isInlined) return edges;
  return new Map([...edges].filter(([kind]) => kind !== "return"));
}

function reversePostorder(entry: Site): Site[] {
  const order: Site[] = [];
  const seen = new Set<Site>();
  const visit = (site: Site): void => {
    seen.add(site);
    for (const target of reachable(site).values()) if (!seen.has(target)) visit(target);
    order.push(site);
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

function structure(order: readonly Site[], edges: Edges): RegionNode[] {
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
  return order.map(({ block, frame }, node) => ({
    block,
    isInlined: frame !== undefined,
    successors: edges[node] as ReadonlyMap<EdgeKind, number>,
    mergeChildren: order
      .map((_, n) => n)
      .filter((n) => n > 0 && idom[n] === node && isMerge(n))
      .reverse(),
    isLoop: loops[node] as boolean,
    isMerge: isMerge(node),
  }));
}
