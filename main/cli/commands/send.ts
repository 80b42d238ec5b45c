// terrarium send NAME TEXT
import type { RegisterCommand } from "../command.ts";
import { parsePort } from "../parse.ts";

export const registerSend: RegisterCommand = (program, run) => {
  program
    .command("send <name> <text>")
    .description("type text into a serial port")
    .option("--enter", "with a line end behind it")
    .option("--port <n>", "serial port", "0")
    .action(
      run(async (session, name: string, text: string, options: { enter?: true; port: string }) => {
        const { id } = await session.machine(name);
        const typed = options.enter ? `${text}\n` : text;
        await (await session.client()).machines.sendText({ id, port: parsePort(options.port), text: typed });
        session.print({}, "");
      }),
    );
};
