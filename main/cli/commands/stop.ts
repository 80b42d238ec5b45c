// terrarium stop NAME [--acpi | --save | --power-off]
import { AppError } from "../../../native-core/common/errors.ts";
import type { RegisterCommand } from "../command.ts";
import { parseSeconds } from "../parse.ts";
import { waitForState } from "./wait.ts";

interface Options {
  readonly acpi?: true;
  readonly save?: true;
  readonly powerOff?: true;
  readonly timeout: string;
}

export const registerStop: RegisterCommand = (program, run) => {
  program
    .command("stop <name>")
    .description("stop a machine: by its power button (default), by saving its state, or at once")
    .option("--acpi", "press the power button and wait until the guest has shut down")
    .option("--save", "save memory and devices; `start` continues there")
    .option("--power-off", "at once, as by pulling the plug")
    .option("--timeout <seconds>", "how long the guest may take to shut down", "60")
    .action(
      run(async (session, name: string, options: Options) => {
        if ([options.acpi, options.save, options.powerOff].filter(Boolean).length > 1) {
          throw new AppError("INVALID_ARGUMENT", "Choose one way to stop", {
            remedy: "--acpi, --save or --power-off.",
          });
        }
        // Before anything is done to the machine.
        const timeoutMs = parseSeconds(options.timeout, "timeout");
        const how = options.save ? "save" : options.powerOff ? "power-off" : "acpi";
        const client = await session.client();
        const { id } = await session.machine(name);
        await client.machines.stop({ id, how });
        if (how === "acpi") await waitForState(client, id, "powered-off", timeoutMs);
        session.print(await client.machines.get({ id }), "");
      }),
    );
};
