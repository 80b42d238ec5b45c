// The window: connection first, then the work.
import { useTranslation } from "react-i18next";
import { connection } from "../api/index.ts";
import { useStore } from "../api/store.ts";
import { ConnectionBanner } from "../features/connection/connection-banner.tsx";
import { ConnectionProblem } from "../features/connection/connection-problem.tsx";
import { MachineWindow } from "../features/machine-window/machine-window.tsx";
import { DropHint } from "../features/media/drop-hint.tsx";
import { useFileDrop } from "../features/media/use-file-drop.ts";
import { Toasts } from "../features/notifications/toasts.tsx";
import { Dialogs } from "./dialogs.tsx";
import { useHotkeys } from "./hotkeys.ts";
import { useApplyLanguage } from "./language.ts";
import { preferencesLoaded } from "./preferences-sync.ts";
import { machineOfWindow } from "./route.ts";
import { useApplyTheme } from "./theme.ts";
import { Workbench } from "./workbench.tsx";
import "./app.css";

const own = machineOfWindow();

export function App() {
  const { t } = useTranslation();
  useApplyTheme();
  useApplyLanguage();
  useHotkeys();
  useFileDrop();
  const state = useStore(connection.state);
  const everOpen = useStore(connection.everOpen);
  const loaded = useStore(preferencesLoaded);
  if (state.kind === "denied" || state.kind === "mismatch") return <ConnectionProblem state={state} />;
  if (!everOpen || !loaded) {
    return (
      <main className="app-connecting" aria-busy="true">
        <p className="muted" role="status">
          {t("connection.connecting")}
        </p>
      </main>
    );
  }
  return (
    <>
      {state.kind === "lost" && <ConnectionBanner />}
      {own ? <MachineWindow machineId={own} /> : <Workbench />}
      <DropHint />
      <Dialogs />
      <Toasts />
    </>
  );
}
