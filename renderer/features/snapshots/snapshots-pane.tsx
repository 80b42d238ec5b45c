// Snapshots of one machine: tool bar, inline questions, the tree with its lanes, and the selected snapshot's properties.
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useSnapshots } from "../../api/queries.ts";
import { takeWantedSnapshot } from "../../app/navigation.ts";
import { usePreference } from "../../app/preferences.ts";
import { SpaceBar } from "../space/space-bar.tsx";
import { DeletePanel, PrunePanel } from "./delete-panels.tsx";
import { CURRENT } from "./graph-layout.ts";
import type { SnapshotQuestion } from "./question.ts";
import { RestorePanel, TakePanel } from "./snapshot-panels.tsx";
import { SnapshotProperties } from "./snapshot-properties.tsx";
import { SnapshotSearch } from "./snapshot-search.tsx";
import { SnapshotTimeline } from "./snapshot-timeline.tsx";
import { SnapshotToolbar } from "./snapshot-toolbar.tsx";
import { SnapshotTreeView } from "./snapshot-tree-view.tsx";
import "./snapshots.css";

const DiffDialog = lazy(() => import("./diff-dialog.tsx"));

export function SnapshotsPane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const tree = useSnapshots(machine.id).data;
  const [selectedId, setSelectedId] = useState<string>(() => takeWantedSnapshot() ?? CURRENT);
  const [question, setQuestion] = useState<SnapshotQuestion | null>(null);
  const [filter, setFilter] = useState("");
  const timeline = usePreference("timeline");
  if (!tree) return null;

  const selected = tree.snapshots.find((snapshot) => snapshot.id === selectedId);
  // Going back from the current state, or comparing it, means the snapshot that it came from.
  const subject = selected ?? tree.snapshots.find((snapshot) => snapshot.id === tree.currentId);
  const select = (id: string) => {
    setSelectedId(id);
    if (question !== "take") setQuestion(null);
  };
  const close = () => setQuestion(null);
  const defaultName = t("snapshots.defaultName", { number: tree.snapshots.length + 1 });

  return (
    <>
      <SnapshotToolbar
        machine={machine}
        tree={tree}
        selected={selected}
        subject={subject}
        filter={filter}
        onFilter={setFilter}
        onAsk={setQuestion}
      />
      {question === "take" && <TakePanel machine={machine} defaultName={defaultName} onClose={close} />}
      {question === "restore" && subject && (
        <RestorePanel
          machine={machine}
          snapshot={subject}
          changed={tree.currentChanged || tree.currentId !== subject.id}
          onClose={close}
        />
      )}
      {question === "delete" && selected && <DeletePanel snapshot={selected} onClose={close} />}
      {question === "diff" && subject && (
        <Suspense fallback={null}>
          <DiffDialog snapshot={subject} tree={tree} onClose={close} />
        </Suspense>
      )}
      {question === "prune" && <PrunePanel machine={machine} onClose={close} />}
      <div className="snapshots">
        {tree.snapshots.length > 0 && filter.trim() !== "" ? (
          <SnapshotSearch tree={tree} filter={filter} selectedId={selected?.id ?? CURRENT} onSelect={select} />
        ) : tree.snapshots.length === 0 ? (
          <div className="pane-message">
            <h2>{t("snapshots.empty")}</h2>
            <p className="muted">{t("snapshots.emptyBody")}</p>
          </div>
        ) : timeline ? (
          <SnapshotTimeline
            label={t("snapshots.timelineOf", { name: machine.name })}
            snapshots={tree.snapshots}
            selectedId={selected?.id ?? CURRENT}
            onSelect={select}
          />
        ) : (
          <SnapshotTreeView
            machine={machine}
            tree={tree}
            selectedId={selected?.id ?? CURRENT}
            onSelect={select}
            onAsk={setQuestion}
          />
        )}
        {selected && <SnapshotProperties key={selected.id} snapshot={selected} />}
      </div>
      <SpaceBar machine={machine} />
    </>
  );
}
