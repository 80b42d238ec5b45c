// One command for several machines: those in whose state it makes no sense are left out, and one notification tells the result.
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { isAllowed, type MachineCommand } from "./rules.ts";
import { runQuietly } from "./run-command.ts";

export const BULK_COMMANDS = [
  "start",
  "resume",
  "pause",
  "acpi",
  "save",
  "powerOff",
  "takeSnapshot",
  "discard",
  "remove",
] as const satisfies readonly MachineCommand[];
export type BulkCommand = (typeof BULK_COMMANDS)[number];

/** So many at a time: starting a hundred machines at once would only make each of them wait. */
const AT_ONCE = 4;

export const allowedOf = (command: BulkCommand, machines: readonly MachineSummary[]): MachineSummary[] =>
  machines.filter((machine) => isAllowed(command, machine.state));

export async function runBulk(command: BulkCommand, machines: readonly MachineSummary[]): Promise<void> {
  const waiting = [...allowedOf(command, machines)];
  const done: MachineSummary[] = [];
  const worker = async () => {
    for (let machine = waiting.shift(); machine; machine = waiting.shift()) {
      try {
        await runQuietly(command, machine);
        done.push(machine);
      } catch (error) {
        const name = machine.name;
        notifyFailure(i18n.t("failure.command", { command: i18n.t(`command.${command}`), name }), toFailure(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (done.length === 0) return;
  const undo = command === "remove" ? [{ label: i18n.t("common.undo"), run: () => void undoRemovals(done) }] : [];
  notify({
    kind: command === "remove" ? "info" : "success",
    title: i18n.t("list.bulkDone", { command: i18n.t(`command.${command}`), count: done.length }),
    actions: undo,
  });
}

async function undoRemovals(machines: readonly MachineSummary[]): Promise<void> {
  for (const { id } of machines) {
    try {
      await client.machines.undoRemove({ id });
    } catch (error) {
      notifyFailure(i18n.t("failure.generic"), toFailure(error));
    }
  }
}
