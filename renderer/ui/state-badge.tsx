// A machine's state as shape, text and colour together, so that none of them has to carry it alone.
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { MachineState } from "../../main/contract/schemas.ts";
import "./state-badge.css";

const OUTLINE = { fill: "none", stroke: "currentColor", strokeWidth: 1.5, strokeLinejoin: "round" as const };
const TURNING = <path d="M6 1.2A4.8 4.8 0 1 1 1.2 6" {...OUTLINE} strokeLinecap="round" />;

const SHAPES: Record<MachineState, ReactElement> = {
  "powered-off": <rect x="2" y="2" width="8" height="8" rx="1.5" {...OUTLINE} />,
  saved: (
    <>
      <path d="M1.8 1.8h6.7l1.7 1.7v6.7H1.8z" {...OUTLINE} />
      <path d="M4 6.5h4v3.7H4z" fill="currentColor" />
    </>
  ),
  aborted: (
    <>
      <path d="M6 1.3l5 9.2H1z" {...OUTLINE} />
      <path d="M6 4.5v2.7M6 8.6v.6" stroke="currentColor" strokeWidth="1.4" />
    </>
  ),
  running: <path d="M2.5 1.3l8 4.7-8 4.7z" fill="currentColor" />,
  paused: <path d="M2.5 1.5h2.5v9H2.5zM7 1.5h2.5v9H7z" fill="currentColor" />,
  starting: TURNING,
  stopping: TURNING,
  saving: TURNING,
  restoring: TURNING,
  snapshotting: TURNING,
};

function isChanging(state: MachineState): boolean {
  return SHAPES[state] === TURNING;
}

export function StateBadge({ state }: { readonly state: MachineState }) {
  const { t } = useTranslation();
  return (
    <span className="state-badge" data-state={state} data-changing={isChanging(state) || undefined}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {SHAPES[state]}
      </svg>
      <span>{t(`state.${state}`)}</span>
    </span>
  );
}
