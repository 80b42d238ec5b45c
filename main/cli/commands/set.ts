// terrarium set NAME KEY=VALUE ...   Keys are the paths of the settings; see `terrarium show`.
import { z } from "zod";
import { AppError } from "../../../native-core/common/errors.ts";
import { type SettingField, settingFields, withSetting } from "../../../native-core/config/changes.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { changeConfig } from "../../contract/change-config.ts";
import type { RegisterCommand } from "../command.ts";
import { parseMiB } from "../parse.ts";

export const registerSet: RegisterCommand = (program, run) => {
  program
    .command("set <name> <key=value...>")
    .description("change settings, such as memoryMiB=512 or boot.commandLine='console=ttyS0'")
    .action(
      run(async (session, name: string, assignments: string[]) => {
        const client = await session.client();
        const { id } = await session.machine(name);
        const details = await changeConfig(client, id, (config) => assignments.reduce(assign, config));
        session.print(details, "");
      }),
    );
};

/** Not yet valid as a whole: the host checks it and names the setting that is wrong. */
function assign(config: MachineConfig, assignment: string): MachineConfig {
  const at = assignment.indexOf("=");
  const key = assignment.slice(0, at);
  const setting = settingFields().find((field) => field.path === key);
  if (at < 1 || !setting) {
    throw new AppError(
      "INVALID_CONFIG",
      at < 1 ? `It is not KEY=VALUE: ${assignment}` : `There is no setting "${key}"`,
      {
        field: at < 1 ? assignment : key,
        consequence: "Nothing was changed.",
        remedy: `Settings: ${settingFields()
          .map((field) => field.path)
          .join(", ")}.`,
      },
    );
  }
  return withSetting(config, key, parseValue(setting, assignment.slice(at + 1))) as MachineConfig;
}

/** Text stays text where the setting takes it; everything else is JSON, sizes may carry their unit. */
export function parseValue(setting: SettingField, text: string): unknown {
  if (setting.path.endsWith("MiB") && /^\d+\s*[A-Za-z]+$/.test(text)) return parseMiB(text, setting.path);
  if (text === "null" && setting.schema instanceof z.ZodNullable) return null;
  if (setting.schema.safeParse(text).success) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
