// The lanes beside the rows. Decoration: the rows say the same in words (level, current).
import { useMemo } from "react";
import type { Snapshot } from "../../../main/contract/schemas.ts";
import type { GraphLayout, GraphNode } from "./graph-layout.ts";
import { CURRENT } from "./graph-layout.ts";

export const ROW_HEIGHT = 44;
const LANE_WIDTH = 18;
const LEFT = 18;
const COLOURS = 5;

export const graphWidth = (lanes: number): number => LEFT + lanes * LANE_WIDTH;

const x = (lane: number): number => LEFT + lane * LANE_WIDTH;
const y = (row: number): number => row * ROW_HEIGHT + ROW_HEIGHT / 2;
const colour = (lane: number): string => `var(--lane-${lane % COLOURS})`;

/** Straight down in its own lane; a branch leaves its parent in one soft curve of one row. */
function edgePath(parent: GraphNode, child: GraphNode): string {
  const [x1, y1, x2, y2] = [x(parent.lane), y(parent.row), x(child.lane), y(child.row)];
  if (x1 === x2) return `M${x1} ${y1}V${y2}`;
  const bend = y1 + ROW_HEIGHT;
  const half = ROW_HEIGHT / 2;
  return `M${x1} ${y1}C${x1} ${y1 + half} ${x2} ${bend - half} ${x2} ${bend}V${y2}`;
}

interface Props {
  readonly layout: GraphLayout;
  readonly currentChanged: boolean;
  readonly snapshots: ReadonlyMap<string, Snapshot>;
  /** Rows in sight: the first and the one after the last. */
  readonly first: number;
  readonly end: number;
}

export function SnapshotGraph({ layout, currentChanged, snapshots, first, end }: Props) {
  const byId = useMemo(() => new Map(layout.nodes.map((node) => [node.id, node])), [layout]);
  // An edge is drawn where any part of it is in sight; it ends in its child's row.
  const edges = layout.nodes.filter((node) => {
    if (node.row < first || node.parentId === null) return false;
    return (byId.get(node.parentId)?.row ?? end) < end;
  });
  return (
    <svg
      className="snapshot-graph"
      width={graphWidth(layout.lanes)}
      height={layout.nodes.length * ROW_HEIGHT}
      aria-hidden="true"
    >
      {edges.map((node) => {
        const parent = node.parentId ? byId.get(node.parentId) : undefined;
        if (!parent) return null;
        const pending = node.id === CURRENT && currentChanged;
        return (
          <path
            key={node.id}
            d={edgePath(parent, node)}
            fill="none"
            stroke={colour(node.lane)}
            strokeWidth="2"
            strokeDasharray={pending ? "3 4" : undefined}
          />
        );
      })}
      {layout.nodes.slice(first, end).map((node) =>
        node.id === CURRENT ? (
          <g key={node.id}>
            <circle
              cx={x(node.lane)}
              cy={y(node.row)}
              r="7"
              fill="var(--bg)"
              stroke={colour(node.lane)}
              strokeWidth="2"
            />
            <circle cx={x(node.lane)} cy={y(node.row)} r="3" fill={colour(node.lane)} />
          </g>
        ) : (
          <circle
            key={node.id}
            cx={x(node.lane)}
            cy={y(node.row)}
            r="5"
            fill={snapshots.get(node.id)?.withMemory ? colour(node.lane) : "var(--bg)"}
            stroke={colour(node.lane)}
            strokeWidth="2"
          />
        ),
      )}
    </svg>
  );
}
