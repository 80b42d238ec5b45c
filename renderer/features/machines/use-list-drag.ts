// Dragging rows of the machine list: into groups, out of them, and to another place among their neighbours.
import { type DragEvent, useCallback, useEffect, useRef, useState } from "react";
import { listSelection } from "../../app/navigation.ts";
import { applyDrop } from "./arrange.ts";
import { dropPlace, planDrop } from "./drop-plan.ts";
import type { ListRow } from "./list-model.ts";

interface Target {
  readonly key: string | null;
  readonly place: "before" | "after" | "into";
}

export function useListDrag(rows: readonly ListRow[]) {
  const dragged = useRef<readonly string[]>([]);
  const [target, setTarget] = useState<Target | null>(null);
  const latest = useRef(rows);
  useEffect(() => {
    latest.current = rows;
  }, [rows]);

  const onDragStart = useCallback((event: DragEvent, row: ListRow) => {
    const { ids } = listSelection();
    dragged.current = row.kind === "machine" && ids.includes(row.id) ? ids : [row.id];
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("application/x-terrarium-rows", dragged.current.join(" "));
  }, []);

  const over = useCallback((event: DragEvent, row: ListRow | null) => {
    // Something from elsewhere, such as a file: that is for the window.
    if (dragged.current.length === 0) return;
    event.stopPropagation();
    const box = event.currentTarget.getBoundingClientRect();
    const place = row ? dropPlace(row, event.clientY - box.top, box.height) : "after";
    if (!planDrop(latest.current, dragged.current, row, place)) return setTarget(null);
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    const key = row?.id ?? null;
    setTarget((before) => (before?.key === key && before.place === place ? before : { key, place }));
  }, []);

  const onDrop = useCallback(
    (event: DragEvent) => {
      if (dragged.current.length === 0) return;
      event.preventDefault();
      event.stopPropagation();
      const row = latest.current.find((each) => each.id === target?.key) ?? null;
      const plan = target && planDrop(latest.current, dragged.current, row, target.place);
      dragged.current = [];
      setTarget(null);
      if (plan) void applyDrop(plan);
    },
    [target],
  );

  const onDragEnd = useCallback(() => {
    dragged.current = [];
    setTarget(null);
  }, []);

  return {
    onDragStart,
    onDragOver: over,
    onDropEnd: { onDrop, onDragEnd, onDragOver: (event: DragEvent) => over(event, null) },
    dropAt: (key: string) => (target?.key === key ? target.place : undefined),
    dropAtEnd: target !== null && target.key === null,
  };
}
