// terrarium host start | stop | status | open
import { AppError } from "../../../native-core/common/errors.ts";
import { connectRpc } from "../../rpc/client.ts";
import type { RegisterCommand } from "../command.ts";
import { entryAddress } from "../entry.ts";
import { findHost, readHostControl, startHost, untilEnded } from "../host-process.ts";

/** Saving several machines with much memory takes its time. */
const STOP_MAX_MS = 300_000;

export const registerHost: RegisterCommand = (program, run) => {
  const host = program.command("host").description("the background process that runs the machines");

  host
    .command("start")
    .description("start it; does nothing when it runs")
    .option("--port <n>", "port on this computer, 0 for any", "0")
    .action(
      run(async (session, options: { port: string }) => {
        const port = Number(options.port);
        if (!Number.isInteger(port) || port < 0 || port > 65535) {
          throw new AppError("INVALID_ARGUMENT", `It is not a port: ${options.port}`, {
            field: "port",
            remedy: "Choose 0 to 65535.",
          });
        }
        const control = (await findHost(session.home)) ?? (await startHost(session.home, port));
        session.print(
          { running: true, pid: control.pid, port: control.port },
          `Running on port ${control.port} (process ${control.pid}).`,
        );
      }),
    );

  host
    .command("stop")
    .description("end it; running machines are saved")
    .option("--save", "save running machines (default)")
    .option("--power-off", "power running machines off")
    .option("--refuse", "do nothing when machines are running")
    .action(
      run(async (session, options: { powerOff?: true; refuse?: true }) => {
        const mode = options.powerOff ? "power-off" : options.refuse ? "refuse" : "save";
        const pid = await askToEnd(session.home, mode);
        if (pid !== null) await untilEnded(pid, STOP_MAX_MS);
        session.print({ running: false }, "");
      }),
    );

  host
    .command("status")
    .description("say whether it runs")
    .action(
      run(async (session) => {
        const control = await findHost(session.home);
        if (control === null) {
          session.print({ running: false, home: session.home }, `Not running on ${session.home}.`);
          return;
        }
        const { client, close } = await connectRpc(control);
        try {
          const info = await client.host.info();
          const { pid, port, startedAtMs } = control;
          const notices = info.notices.map((notice) => `\n  ${notice}`).join("");
          session.print(
            { running: true, pid, port, startedAtMs, ...info },
            `Running on port ${port} (process ${pid}), data in ${info.home}.${notices}`,
          );
        } finally {
          close();
        }
      }),
    );

  host
    .command("open")
    .description("print an address that opens the app in a browser, once")
    .action(
      run(async (session) => {
        const url = await entryAddress(await session.control());
        session.print({ url }, url);
      }),
    );
};

/** Yields the process that ends now; null when there is none. */
async function askToEnd(home: string, mode: "save" | "power-off" | "refuse"): Promise<number | null> {
  try {
    const control = await findHost(home);
    if (control === null) return null;
    const { client, close } = await connectRpc(control);
    try {
      await client.host.shutdown({ stopMachines: mode });
    } finally {
      close();
    }
    return control.pid;
  } catch (error) {
    // A host of another version does not understand the command, but every one saves its machines and ends on this signal.
    const isOther = error instanceof AppError && error.code === "VERSION_MISMATCH";
    const control = isOther && mode === "save" && process.platform !== "win32" ? await readHostControl(home) : null;
    if (control === null) throw error;
    process.kill(control.pid, "SIGTERM");
    return control.pid;
  }
}
