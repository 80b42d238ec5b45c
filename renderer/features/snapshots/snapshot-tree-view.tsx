// The tree: lanes at the left, one row per snapshot, "Current State" last. One tab stop; arrows, F2, Delete, Enter.
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, SnapshotTree } from "../../../main/contract/schemas.ts";
import { useVirtualRows } from "../../ui/use-virtual-rows.ts";
import { step } from "../machines/list-model.ts";
import { isAllowed } from "../machines/rules.ts";
import { CURRENT, layoutSnapshots } from "./graph-layout.ts";
import type { SnapshotQuestion } from "./question.ts";
import { renameSnapshot } from "./snapshot-actions.ts";
import { graphWidth, ROW_HEIGHT, SnapshotGraph } from "./snapshot-graph.tsx";
import { CurrentRow, SnapshotRow, snapshotRowId } from "./snapshot-row.tsx";

interface Props {
  readonly machine: MachineSummary;
  readonly tree: SnapshotTree;
  readonly selectedId: string;
  onSelect(id: string): void;
  onAsk(question: SnapshotQuestion): void;
}

export function SnapshotTreeView({ machine, tree, selectedId, onSelect, onAsk }: Props) {
  const { t } = useTranslation();
  const [renamingId, setRenamingId] = useState<string | null>(null);
  const rows = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const layout = useMemo(() => layoutSnapshots(tree), [tree]);
  const byId = useMemo(() => new Map(tree.snapshots.map((snapshot) => [snapshot.id, snapshot])), [tree]);
  const heights = useMemo(() => layout.nodes.map(() => ROW_HEIGHT), [layout]);
  const { first, end, top, totalHeight, reveal } = useVirtualRows(scroller, heights);
  const selectedRow = layout.nodes.findIndex((node) => node.id === selectedId);

  useEffect(() => {
    if (selectedRow >= 0) reveal(selectedRow);
  }, [selectedRow, reveal]);

  const open = (id: string) => {
    onSelect(id);
    if (isAllowed("takeSnapshot", machine.state)) onAsk("restore");
  };
  const rename = (id: string, name: string | null) => {
    setRenamingId(null);
    rows.current?.focus();
    if (name) void renameSnapshot(id, name);
  };

  const onKey = (event: KeyboardEvent) => {
    const move = (by: number | "first" | "last") => {
      const next = step(layout.nodes, selectedId, by);
      if (next) onSelect(next.id);
    };
    const isSnapshot = selectedId !== CURRENT;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Home") move("first");
    else if (event.key === "End") move("last");
    else if (event.key === "Enter" && isSnapshot) open(selectedId);
    else if (event.key === "F2" && isSnapshot) setRenamingId(selectedId);
    else if (event.key === "Delete" && isSnapshot) onAsk("delete");
    else return;
    event.preventDefault();
  };

  return (
    <div className="snapshot-tree">
      <div className="snapshot-columns" aria-hidden="true" style={{ paddingLeft: graphWidth(layout.lanes) }}>
        <span className="snapshot-text">{t("snapshots.name")}</span>
        <span className="snapshot-taken">{t("snapshots.taken")}</span>
        <span className="snapshot-size">{t("snapshots.size")}</span>
      </div>
      <div ref={scroller} className="snapshot-scroll">
        <SnapshotGraph
          layout={layout}
          currentChanged={tree.currentChanged}
          snapshots={byId}
          first={Math.max(0, first)}
          end={end}
        />
        <div
          ref={rows}
          role="tree"
          tabIndex={0}
          className="snapshot-rows"
          aria-label={t("snapshots.label", { name: machine.name })}
          aria-activedescendant={selectedRow >= first && selectedRow < end ? snapshotRowId(selectedId) : undefined}
          style={{ marginLeft: graphWidth(layout.lanes), height: totalHeight }}
          onKeyDown={onKey}
        >
          {layout.nodes.slice(first, end).map((node) => {
            const snapshot = byId.get(node.id);
            const shared = { depth: node.depth, selected: node.id === selectedId, onSelect };
            return (
              <div key={node.id} role="presentation" className="snapshot-place" style={{ top: top(node.row) }}>
                {snapshot ? (
                  <SnapshotRow
                    {...shared}
                    snapshot={snapshot}
                    renaming={renamingId === node.id}
                    onOpen={open}
                    onRename={rename}
                  />
                ) : (
                  <CurrentRow {...shared} state={machine.state} changed={tree.currentChanged} />
                )}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
