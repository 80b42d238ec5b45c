// Changed files as a tree: folders with what happened in them, and single chains of folders as one row, as in a good git client.
import type { FileChange } from "../../../main/contract/schemas.ts";

export interface DiffNode {
  /** From the parent's row on: `etc`, `usr/share/doc`. */
  readonly name: string;
  readonly path: string;
  /** Null for a folder that is only on the way to changes. */
  readonly change: FileChange | null;
  readonly children: readonly DiffNode[];
  /** Changes in it and below. */
  readonly counts: Readonly<Record<FileChange["change"], number>>;
}

interface Building {
  change: FileChange | null;
  readonly children: Map<string, Building>;
}

const empty = (): Building => ({ change: null, children: new Map() });

export function diffTree(changes: readonly FileChange[]): DiffNode[] {
  const root = empty();
  for (const change of changes) {
    let at = root;
    for (const part of change.path.split("/").filter(Boolean)) {
      const next = at.children.get(part) ?? empty();
      at.children.set(part, next);
      at = next;
    }
    at.change = change;
  }
  return childrenOf(root, "");
}

function childrenOf({ children }: Building, path: string): DiffNode[] {
  const nodes = [...children].map(([name, child]) => nodeOf(name, `${path}/${name}`, child));
  return nodes.sort(
    (a, b) => Number(b.children.length > 0) - Number(a.children.length > 0) || a.name.localeCompare(b.name),
  );
}

function nodeOf(name: string, path: string, built: Building): DiffNode {
  const [only] = built.children;
  // A folder that only leads to another folder is part of that one's row.
  if (built.change === null && only && built.children.size === 1 && only[1].children.size > 0)
    return nodeOf(`${name}/${only[0]}`, `${path}/${only[0]}`, only[1]);
  const children = childrenOf(built, path);
  const counts = { added: 0, changed: 0, removed: 0 };
  if (built.change) counts[built.change.change]++;
  for (const child of children) {
    for (const kind of ["added", "changed", "removed"] as const) counts[kind] += child.counts[kind];
  }
  return { name, path, change: built.change, children, counts };
}
