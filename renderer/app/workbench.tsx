// The main window: machine list, and beside it the tool bar and the panes of the selected machine.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Group, Panel, Separator } from "react-resizable-panels";
import { useMachines } from "../api/queries.ts";
import { sortMachines } from "../features/machines/list-model.ts";
import { MachineList } from "../features/machines/machine-list.tsx";
import { StatusBar } from "../features/status-bar/status-bar.tsx";
import { Toolbar } from "../features/toolbar/toolbar.tsx";
import { Welcome } from "../features/welcome/welcome.tsx";
import { selectMachine, useSelectedMachineId } from "./navigation.ts";
import { Panes } from "./panes.tsx";
import { preferences, setPreference } from "./preferences.ts";

export function Workbench() {
  const { t } = useTranslation();
  const machines = useMachines();
  const selectedId = useSelectedMachineId();
  const list = machines.data ?? [];
  const selected = list.find((machine) => machine.id === selectedId);

  // Something is always selected: after a removal the neighbourhood moves up, at first start the first machine.
  const loaded = machines.data !== undefined;
  const fallback = sortMachines(list)[0]?.id ?? null;
  useEffect(() => {
    if (loaded && !selected) selectMachine(fallback);
  }, [loaded, selected, fallback]);

  useEffect(() => {
    document.title = selected ? `${selected.name} – ${t("app.name")}` : t("app.name");
  }, [selected, t]);

  return (
    <div className="workbench">
      <Group
        orientation="horizontal"
        defaultLayout={preferences.get().layout}
        onLayoutChanged={(layout) => setPreference("layout", layout)}
      >
        <Panel id="list" minSize={180} maxSize={480} groupResizeBehavior="preserve-pixel-size">
          <MachineList machines={list} selectedId={selected?.id ?? null} />
        </Panel>
        <Separator className="workbench-separator" aria-label={t("app.resizeList")} />
        <Panel id="work" minSize={360}>
          <main className="work" aria-label={t("app.work")}>
            <Toolbar machine={selected} />
            {selected && <Panes key={selected.id} machine={selected} />}
            {loaded && list.length === 0 && <Welcome />}
          </main>
        </Panel>
      </Group>
      <StatusBar machines={list} />
    </div>
  );
}
