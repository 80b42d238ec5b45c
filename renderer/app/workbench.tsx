// The main window: tools and machine list, and beside them a tool, the panes of the selected machine, or several machines at once.
import { memo, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Group, Panel, Separator } from "react-resizable-panels";
import type { MachineSummary } from "../../main/contract/schemas.ts";
import { useMachines } from "../api/queries.ts";
import { Announcer } from "../features/machines/announcer.tsx";
import { sortMachines } from "../features/machines/list-model.ts";
import { MachineList } from "../features/machines/machine-list.tsx";
import { SelectionPane } from "../features/machines/selection-pane.tsx";
import { StatusBar } from "../features/status-bar/status-bar.tsx";
import { Toolbar } from "../features/toolbar/toolbar.tsx";
import { Welcome } from "../features/welcome/welcome.tsx";
import { selectMachine, useListSelection, useSelectedMachineId, useTool } from "./navigation.ts";
import { Panes } from "./panes.tsx";
import { preferences, setPreference } from "./preferences.ts";
import { ToolList, ToolView } from "./tools.tsx";

interface WorkProps {
  readonly selected: MachineSummary | undefined;
  readonly several: boolean;
  readonly empty: boolean;
}

/** Not drawn anew for events of other machines: its props are the selected machine's own. */
const Work = memo(function Work({ selected, several, empty }: WorkProps) {
  const tool = useTool();
  return (
    <>
      <Toolbar machine={tool ? undefined : selected} several={several && !tool} />
      {tool && <ToolView tool={tool} />}
      {!tool && several && <SelectionPane />}
      {!tool && !several && selected && <Panes key={selected.id} machine={selected} />}
      {!tool && empty && <Welcome />}
    </>
  );
});

/** Something is always selected: after a removal the neighbourhood moves up, at first start the first machine. */
function useSelection(machines: readonly MachineSummary[] | undefined): MachineSummary | undefined {
  const selectedId = useSelectedMachineId();
  const { active } = useListSelection();
  const selected = machines?.find((machine) => machine.id === selectedId);
  const fallback = machines && !selected ? (sortMachines(machines)[0]?.id ?? null) : undefined;
  useEffect(() => {
    const { place } = preferences.get();
    if (fallback !== undefined && fallback !== selectedId) selectMachine(fallback);
    else if (active === null && selectedId !== null) selectMachine(selectedId);
    // Choosing what is remembered does not leave the tool that is remembered too.
    if (place !== "machines") setPreference("place", place);
  }, [fallback, active, selectedId]);
  return selected;
}

export function Workbench() {
  const { t } = useTranslation();
  const machines = useMachines();
  const list = machines.data ?? [];
  const selected = useSelection(machines.data);
  const several = useListSelection().ids.length > 1;

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
          <div className="side">
            <ToolList />
            <MachineList machines={list} />
          </div>
        </Panel>
        <Separator className="workbench-separator" aria-label={t("app.resizeList")} />
        <Panel id="work" minSize={360}>
          <main className="work" aria-label={t("app.work")}>
            <Work selected={selected} several={several} empty={machines.data?.length === 0} />
          </main>
        </Panel>
      </Group>
      <StatusBar machines={list} />
      <Announcer machine={selected} />
    </div>
  );
}
