// Snapshots that match what was typed, newest first: a flat list instead of the tree.
import { useTranslation } from "react-i18next";
import type { Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";
import { matchesWords } from "../palette/match.ts";
import { SnapshotRow } from "./snapshot-row.tsx";

interface Props {
  readonly tree: SnapshotTree;
  readonly filter: string;
  readonly selectedId: string;
  onSelect(id: string): void;
}

/** Rows drawn at once; whoever has more matches types another letter. */
const SHOWN_MAX = 500;

export function matchingSnapshots(snapshots: readonly Snapshot[], filter: string): Snapshot[] {
  return snapshots
    .filter((snapshot) => matchesWords(`${snapshot.name} ${snapshot.description} ${snapshot.kind}`, filter))
    .toSorted((a, b) => b.takenAtMs - a.takenAtMs);
}

export function SnapshotSearch({ tree, filter, selectedId, onSelect }: Props) {
  const { t } = useTranslation();
  const found = matchingSnapshots(tree.snapshots, filter);
  if (found.length === 0) return <p className="pane-message muted">{t("snapshots.searchEmpty", { filter })}</p>;
  return (
    <div className="snapshot-tree">
      <div className="snapshot-scroll" role="tree" aria-label={t("snapshots.search")}>
        {found.slice(0, SHOWN_MAX).map((snapshot) => (
          <SnapshotRow
            key={snapshot.id}
            snapshot={snapshot}
            depth={1}
            selected={snapshot.id === selectedId}
            renaming={false}
            onSelect={onSelect}
            onOpen={onSelect}
            onRename={() => undefined}
          />
        ))}
      </div>
    </div>
  );
}
