// The context menu of the list: of one machine, of several, or of a group.
import { Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { EditIcon, FolderCloseIcon, FolderNewIcon, FolderSharedIcon, UngroupObjectsIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { listSelection, startRenaming } from "../../app/navigation.ts";
import { shortcutLabel } from "../../app/shortcuts.ts";
import { groupMachines, moveToGroup, renameGroup } from "./arrange.ts";
import { allowedOf, BULK_COMMANDS, type BulkCommand, runBulk } from "./bulk.ts";
import { COMMAND_ICONS } from "./command-icons.tsx";
import { allGroups, type GroupRow, type ListRow, parentGroup } from "./list-model.ts";
import { MachineMenuItems } from "./machine-menu.tsx";

const machinesNow = (): MachineSummary[] => queryClient.getQueryData<MachineSummary[]>(keys.machines) ?? [];

/** Where these machines could go: existing groups, a new one, or none. */
function GroupItems({ machines }: { readonly machines: readonly MachineSummary[] }) {
  const { t } = useTranslation();
  const ids = machines.map(({ id }) => id);
  const current = new Set(machines.map(({ group }) => group));
  const only = current.size === 1 ? machines[0]?.group : undefined;
  return (
    // In a layer of its own: inline it would be a child of the menu that is no menu item.
    <MenuItem icon={<FolderSharedIcon />} text={t("list.moveTo")} popoverProps={{ usePortal: true }}>
      <MenuItem
        icon={<FolderNewIcon />}
        text={t("list.newGroup")}
        label={shortcutLabel("Ctrl+G")}
        onClick={() => void groupMachines(ids, only ?? "")}
      />
      <MenuItem
        icon={<UngroupObjectsIcon />}
        text={t("list.noGroup")}
        disabled={only === ""}
        onClick={() => void moveToGroup(ids, "")}
      />
      <MenuDivider />
      {allGroups(machinesNow()).map((group) => (
        <MenuItem
          key={group}
          icon={<FolderCloseIcon />}
          text={group}
          disabled={group === only}
          onClick={() => void moveToGroup(ids, group)}
        />
      ))}
    </MenuItem>
  );
}

interface BulkItemsProps {
  readonly machines: readonly MachineSummary[];
}

export function BulkItems({ machines }: BulkItemsProps) {
  const { t } = useTranslation();
  const item = (command: BulkCommand) => {
    const count = allowedOf(command, machines).length;
    return (
      <MenuItem
        key={command}
        icon={COMMAND_ICONS[command]}
        text={t(`command.${command}`)}
        label={count > 0 && count < machines.length ? t("list.someOf", { count, all: machines.length }) : ""}
        disabled={count === 0}
        intent={command === "remove" ? "danger" : "none"}
        onClick={() => void runBulk(command, machines)}
      />
    );
  };
  return (
    <>
      {BULK_COMMANDS.filter((command) => command !== "remove").map(item)}
      <MenuDivider />
      {item("remove")}
    </>
  );
}

function GroupMenuItems({ row }: { readonly row: GroupRow }) {
  const { t } = useTranslation();
  return (
    <>
      <MenuItem
        icon={<EditIcon />}
        text={t("command.rename")}
        label={shortcutLabel("F2")}
        onClick={() => startRenaming(row.id)}
      />
      <MenuItem
        icon={<UngroupObjectsIcon />}
        text={t("list.dissolve")}
        onClick={() => void renameGroup(row.path, parentGroup(row.path))}
      />
      <MenuDivider />
    </>
  );
}

export function ListMenu({ row }: { readonly row: ListRow }) {
  const { ids } = listSelection();
  const machines =
    row.kind === "group" ? row.machines : machinesNow().filter(({ id }) => ids.includes(id) || id === row.id);
  const [only] = machines;
  return (
    <Menu>
      {row.kind === "group" && <GroupMenuItems row={row} />}
      {machines.length === 1 && only ? <MachineMenuItems machine={only} /> : <BulkItems machines={machines} />}
      <MenuDivider />
      <GroupItems machines={machines} />
    </Menu>
  );
}
