// A machine in a window of its own: menus, the screen, and nothing else. Closing the window leaves the machine running.
import { lazy, Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useMachineSummary, useMachines } from "../../api/queries.ts";
import { selectMachine } from "../../app/navigation.ts";
import { windowMenus } from "./window-menus.tsx";
import "./machine-window.css";

const DisplayPane = lazy(() => import("../display/display-pane.tsx"));

export function MachineWindow({ machineId }: { readonly machineId: string }) {
  const { t } = useTranslation();
  const loaded = useMachines().data !== undefined;
  const machine = useMachineSummary(machineId);
  useEffect(() => {
    if (machine) document.title = `${machine.name} – ${t("app.name")}`;
  }, [machine, t]);
  // Commands of the window are those of its machine.
  useEffect(() => selectMachine(machineId), [machineId]);
  if (!machine) return <p className="pane-message muted">{loaded && t("window.gone")}</p>;
  return (
    <main className="machine-window work" aria-label={machine.name}>
      <Suspense fallback={null}>
        <DisplayPane machine={machine} menus={windowMenus} />
      </Suspense>
    </main>
  );
}
