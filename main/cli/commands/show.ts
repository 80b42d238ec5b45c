// terrarium show NAME
import { settingFields, settingValue } from "../../../native-core/config/changes.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";

export const registerShow: RegisterCommand = (program, run) => {
  program
    .command("show <name>")
    .description("show a machine and its settings")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        const details = await (await session.client()).machines.get({ id });
        const rows = [
          ["id", details.id],
          ["state", details.state],
          ["created", time(details.createdAtMs)],
          ["folder", details.folder],
          ...settingFields().map((field) => [field.path, format(settingValue(details.config, field.path))]),
          ...details.disks.map((disk) => [
            `disk ${disk.id}`,
            `${bytes(disk.usedBytes)} of ${bytes(disk.sizeBytes)}  ${disk.file}`,
          ]),
          ...(details.lastFailure === null ? [] : [["last failure", details.lastFailure.message]]),
        ];
        session.print(details, table(rows));
      }),
    );
};

function format(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
