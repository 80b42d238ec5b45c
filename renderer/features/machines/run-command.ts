// Carries machine commands out. Failures become notifications with cause and remedy; nothing here throws.
import { changeConfig } from "../../../main/contract/change-config.ts";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { giveUpFocus } from "../../app/focus.ts";
import { openDialog, selectMachine, showPane, startRenaming } from "../../app/navigation.ts";
import { i18n } from "../../i18n/index.ts";
import { formatBytes } from "../../ui/format.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { adoptMachine } from "./adopt.ts";
import { isAllowed, type MachineCommand, primaryCommand } from "./rules.ts";
import { startMachine } from "./start.ts";

async function remove(machine: MachineSummary): Promise<void> {
  await client.machines.remove({ id: machine.id });
  notify({
    kind: "info",
    title: i18n.t("notices.removed", { name: machine.name }),
    actions: [{ label: i18n.t("common.undo"), run: () => void undoRemove(machine) }],
  });
}

async function undoRemove(machine: MachineSummary): Promise<void> {
  try {
    adoptMachine(await client.machines.undoRemove({ id: machine.id }));
    notify({ kind: "success", title: i18n.t("notices.restored", { name: machine.name }) });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}

async function takeSnapshot(machine: MachineSummary): Promise<void> {
  const snapshot = await client.snapshots.take({ id: machine.id });
  notify({ kind: "success", title: i18n.t("snapshots.taken_notice", { name: snapshot.name }) });
}

/** The copy runs at once and is in the list by its events; the user stays where they are. */
async function fork(machine: MachineSummary): Promise<void> {
  const [copy] = await client.machines.fork({ id: machine.id });
  if (!copy) return;
  notify({
    kind: "success",
    title: i18n.t("clone.forked", { name: machine.name, copy: copy.name }),
    actions: [{ label: i18n.t("command.show"), run: () => selectMachine(copy.id) }],
  });
}

async function reclaim({ id, name }: MachineSummary): Promise<void> {
  try {
    const { freedBytes } = await client.machines.reclaim({ id });
    notify({ kind: "success", title: i18n.t("space.freed", { size: formatBytes(freedBytes), name }) });
  } finally {
    await queryClient.invalidateQueries({ queryKey: keys.space(id) });
  }
}

/** The screen is where the menu is, and where its key is pressed. */
async function startWithBootMenu(machine: MachineSummary): Promise<void> {
  selectMachine(machine.id);
  showPane("display");
  await startMachine(machine, true);
  notify({ kind: "info", title: i18n.t("command.bootMenu"), detail: i18n.t("command.help.bootMenu") });
}

const HANDLERS: Record<MachineCommand, (machine: MachineSummary) => Promise<unknown> | void> = {
  start: (machine) => startMachine(machine),
  bootMenu: startWithBootMenu,
  resume: ({ id }) => client.machines.resume({ id }),
  show: () => showPane("display"),
  pause: ({ id }) => client.machines.pause({ id }),
  reset: ({ id }) => client.machines.reset({ id }),
  acpi: ({ id }) => client.machines.stop({ id, how: "acpi" }),
  save: ({ id }) => client.machines.stop({ id, how: "save" }),
  powerOff: ({ id }) => client.machines.stop({ id, how: "power-off" }),
  discard: ({ id }) => client.machines.discardSavedState({ id }),
  takeSnapshot,
  settings: ({ id }) => openDialog({ kind: "settings", machineId: id }),
  rename: ({ id }) => startRenaming(id),
  fork,
  export: ({ id }) => openDialog({ kind: "export", machineId: id }),
  encryption: ({ id }) => openDialog({ kind: "encryption", machineId: id }),
  clone: ({ id }) => openDialog({ kind: "clone", machineId: id, snapshotId: null }),
  reclaim,
  verify: ({ id }) => openDialog({ kind: "verify", machineId: id }),
  remove,
};

/** Without a notification about what it did; rejects when it fails. For commands on several machines at once. */
export async function runQuietly(command: MachineCommand, machine: MachineSummary): Promise<void> {
  if (command === "remove") await client.machines.remove({ id: machine.id });
  else if (command === "takeSnapshot") await client.snapshots.take({ id: machine.id });
  else await HANDLERS[command](machine);
}

export async function runCommand(command: MachineCommand, machine: MachineSummary): Promise<void> {
  if (!isAllowed(command, machine.state)) return;
  if (command === "start" && machine.encryption === "locked") {
    openDialog({ kind: "encryption", machineId: machine.id, start: true });
    return;
  }
  try {
    await HANDLERS[command](machine);
  } catch (error) {
    const name = machine.name;
    const title =
      command === "start"
        ? i18n.t("failure.start", { name })
        : i18n.t("failure.command", { command: i18n.t(`command.${command}`), name });
    notifyFailure(title, toFailure(error));
  }
}

/** Double click and Enter: start and look at it, or just look. */
export function startOrShow(machine: MachineSummary): void {
  selectMachine(machine.id);
  giveUpFocus();
  showPane("display");
  void runCommand(primaryCommand(machine.state), machine);
}

export const renameMachine = (id: string, name: string): Promise<void> => changeSetting(id, { name });

/** For settings that change at any time and are edited in place. */
export async function changeSetting(id: string, change: Partial<MachineConfig>): Promise<void> {
  try {
    await changeConfig(client, id, (config) => ({ ...config, ...change }));
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
