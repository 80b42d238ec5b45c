// terrarium console NAME   The terminal becomes the machine's serial console until Ctrl+] is pressed.
import { WebSocket } from "ws";
import { AppError } from "../../../native-core/common/errors.ts";
import type { HostControl } from "../../web-host/control-file.ts";
import type { RegisterCommand } from "../command.ts";
import { parsePort } from "../parse.ts";

/** Ctrl+], as in telnet and `virsh console`. */
const LEAVE = 0x1d;

export const registerConsole: RegisterCommand = (program, run) => {
  program
    .command("console <name>")
    .description("attach the terminal to a serial port; Ctrl+] leaves")
    .option("--port <n>", "serial port", "0")
    .option("--no-scrollback", "only what is printed from now on")
    .action(
      run(async (session, name: string, options: { port: string; scrollback: boolean }) => {
        const { id } = await session.machine(name);
        const path = `/data/${id}/console/${parsePort(options.port)}${options.scrollback ? "" : "/tail"}`;
        await attach(await session.control(), path);
      }),
    );
};

function attach(control: HostControl, path: string): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${control.port}${path}`, {
    headers: { Authorization: `Bearer ${control.token}` },
  });
  const { stdin, stdout } = process;
  const onInput = (bytes: Buffer) => {
    const leave = bytes.indexOf(LEAVE);
    if (leave !== 0) socket.send(leave < 0 ? bytes : bytes.subarray(0, leave), { binary: true });
    if (leave >= 0) socket.close();
  };
  return new Promise<void>((resolve, reject) => {
    socket.on("open", () => {
      if (stdin.isTTY) stdin.setRawMode(true);
      stdin.on("data", onInput);
      // At the end of piped input the output still counts; the machine or a signal ends the command then.
      stdin.resume();
    });
    socket.on("message", (message: Buffer) => void stdout.write(message));
    socket.on("unexpected-response", (_, response) => {
      reject(
        new AppError("INVALID_STATE", `The console can't be opened (${response.statusCode})`, {
          remedy: "Start the machine first.",
        }),
      );
    });
    socket.on("error", (error) => reject(new AppError("IO_ERROR", `The console was lost: ${error.message}`)));
    socket.on("close", () => resolve());
  }).finally(() => {
    stdin.off("data", onInput);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
  });
}
