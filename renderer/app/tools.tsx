// The tools of the whole app, above the machine list; the preferences are a dialog. A tool is one line here, one in TOOLS (navigation.ts) and its name in the texts.
import {
  CogIcon,
  ConsoleIcon,
  DatabaseIcon,
  GlobeNetworkIcon,
  HomeIcon,
  TimelineLineChartIcon,
} from "@blueprintjs/icons";
import { type ComponentType, type LazyExoticComponent, lazy, type ReactElement, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { HomeTool } from "../features/home/home-tool.tsx";
import { ErrorBoundary } from "../ui/error-boundary.tsx";
import { openDialog, showTool, TOOLS, type Tool, useTool } from "./navigation.ts";
import "./tools.css";

interface ToolEntry {
  readonly icon: ReactElement;
  readonly component: ComponentType | LazyExoticComponent<ComponentType>;
}

const ENTRIES: Record<Tool, ToolEntry> = {
  home: { icon: <HomeIcon />, component: HomeTool },
  activity: {
    icon: <TimelineLineChartIcon />,
    component: lazy(() => import("../features/activity/activity-tool.tsx")),
  },
  consoles: { icon: <ConsoleIcon />, component: lazy(() => import("../features/search/consoles-tool.tsx")) },
  media: { icon: <DatabaseIcon />, component: lazy(() => import("../features/media/media-tool.tsx")) },
  network: { icon: <GlobeNetworkIcon />, component: lazy(() => import("../features/network/network-tool.tsx")) },
};

export function ToolList() {
  const { t } = useTranslation();
  const current = useTool();
  return (
    <nav className="tool-list" aria-label={t("app.tools")}>
      {TOOLS.map((tool) => (
        <button
          key={tool}
          type="button"
          className="tool-entry"
          aria-current={tool === current ? "page" : undefined}
          onClick={() => showTool(tool)}
        >
          {ENTRIES[tool].icon}
          <span>{t(`tool.${tool}`)}</span>
        </button>
      ))}
      <button type="button" className="tool-entry" onClick={() => openDialog({ kind: "preferences" })}>
        <CogIcon />
        <span>{t("preferences.menu")}</span>
      </button>
    </nav>
  );
}

export function ToolView({ tool }: { readonly tool: Tool }) {
  const { t } = useTranslation();
  const Component = ENTRIES[tool].component;
  return (
    <section className="pane" aria-label={t(`tool.${tool}`)}>
      <ErrorBoundary key={tool}>
        <Suspense fallback={null}>
          <Component />
        </Suspense>
      </ErrorBoundary>
    </section>
  );
}
