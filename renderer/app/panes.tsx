// The views of one machine as tabs. Display and console bring large libraries and are loaded when first looked at.
import { type ComponentType, type KeyboardEvent, type LazyExoticComponent, lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../main/contract/schemas.ts";
import { DetailsPane } from "../features/details/details-pane.tsx";
import { LogsPane } from "../features/logs/logs-pane.tsx";
import { SnapshotsPane } from "../features/snapshots/snapshots-pane.tsx";
import { ErrorBoundary } from "../ui/error-boundary.tsx";
import { PANES, type Pane, showPane, usePane } from "./navigation.ts";

const DisplayPane = lazy(() => import("../features/display/display-pane.tsx"));
const ActivityPane = lazy(() => import("../features/activity/activity-pane.tsx"));
const FilesPane = lazy(() => import("../features/files/files-pane.tsx"));
const ConsolePane = lazy(() => import("../features/console/console-pane.tsx"));

type PaneComponent = ComponentType<{ readonly machine: MachineSummary }>;

/** A pane is one line here, one in PANES (navigation.ts) and its name in the texts (`pane.NAME`). */
const COMPONENTS: Record<Pane, PaneComponent | LazyExoticComponent<PaneComponent>> = {
  details: DetailsPane,
  display: DisplayPane,
  console: ConsolePane,
  snapshots: SnapshotsPane,
  files: FilesPane,
  activity: ActivityPane,
  logs: LogsPane,
};

export function Panes({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const pane = usePane();
  const Content = COMPONENTS[pane];

  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = PANES.at((PANES.indexOf(pane) + step) % PANES.length) ?? "details";
    showPane(next);
    document.getElementById(`tab-${next}`)?.focus();
    event.preventDefault();
  };

  return (
    <>
      <div className="pane-tabs" role="tablist" aria-label={t("pane.label", { name: machine.name })}>
        {PANES.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            className="pane-tab"
            aria-selected={name === pane}
            aria-controls={name === pane ? "pane" : undefined}
            tabIndex={name === pane ? 0 : -1}
            onKeyDown={onKey}
            onClick={() => showPane(name)}
          >
            {t(`pane.${name}`)}
          </button>
        ))}
      </div>
      <div className="pane" id="pane" role="tabpanel" aria-labelledby={`tab-${pane}`}>
        <ErrorBoundary key={pane}>
          <Suspense fallback={null}>
            <Content machine={machine} />
          </Suspense>
        </ErrorBoundary>
      </div>
    </>
  );
}
