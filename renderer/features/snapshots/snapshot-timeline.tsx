// Snapshots in the order of time, each with its picture: for those who remember when rather than what. Choosing one chooses it in the tree.
import { CameraIcon, DatabaseIcon } from "@blueprintjs/icons";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Snapshot } from "../../../main/contract/schemas.ts";
import { useSnapshotThumbnail } from "../../api/queries.ts";
import { formatDay, formatTime } from "../../ui/format.ts";
import { daysOf } from "./timeline-layout.ts";
import "./timeline.css";

interface Props {
  readonly label: string;
  readonly snapshots: readonly Snapshot[];
  readonly selectedId: string;
  onSelect(id: string): void;
}

export function SnapshotTimeline({ label, snapshots, selectedId, onSelect }: Props) {
  const inOrder = snapshots.toSorted((a, b) => a.takenAtMs - b.takenAtMs);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current
      ?.querySelector(`[data-snapshot="${selectedId}"]`)
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selectedId]);
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = inOrder.findIndex(({ id }) => id === selectedId);
    const next = inOrder[Math.min(inOrder.length - 1, Math.max(0, at + step))];
    if (!next) return;
    event.preventDefault();
    onSelect(next.id);
    list.current?.querySelector<HTMLElement>(`[data-snapshot="${next.id}"]`)?.focus();
  };
  return (
    // oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the focus is on its options, between which arrows move
    <div
      ref={list}
      className="timeline"
      role="listbox"
      aria-orientation="horizontal"
      aria-label={label}
      onKeyDown={onKey}
    >
      {daysOf(inOrder).map(({ dayMs, items }) => (
        <div key={dayMs} className="timeline-day" role="group" aria-label={formatDay(dayMs)}>
          <span className="timeline-date" aria-hidden>
            {formatDay(dayMs)}
          </span>
          <div className="timeline-items" role="presentation">
            {items.map((snapshot) => (
              <Moment
                key={snapshot.id}
                snapshot={snapshot}
                selected={snapshot.id === selectedId}
                reachable={
                  snapshot.id === selectedId ||
                  (!inOrder.some(({ id }) => id === selectedId) && snapshot === inOrder[0])
                }
                onSelect={onSelect}
              />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

interface MomentProps {
  readonly snapshot: Snapshot;
  readonly selected: boolean;
  readonly reachable: boolean;
  onSelect(id: string): void;
}

function Moment({ snapshot, selected, reachable, onSelect }: MomentProps) {
  const { t } = useTranslation();
  const { id, name, takenAtMs, withMemory, hasThumbnail } = snapshot;
  const picture = useSnapshotThumbnail(id, hasThumbnail).data;
  const kind = t(withMemory ? "snapshots.withMemory" : "snapshots.withoutMemory");
  return (
    <button
      type="button"
      role="option"
      data-snapshot={id}
      aria-selected={selected}
      tabIndex={reachable ? 0 : -1}
      className="timeline-moment"
      title={`${name} · ${kind}`}
      onClick={() => onSelect(id)}
    >
      <span className="timeline-picture">
        {picture ? <img src={picture} alt="" /> : withMemory ? <CameraIcon size={20} /> : <DatabaseIcon size={20} />}
      </span>
      <span className="timeline-name">{name}</span>
      <time className="muted number" dateTime={new Date(takenAtMs).toISOString()}>
        {formatTime(takenAtMs)}
      </time>
    </button>
  );
}
