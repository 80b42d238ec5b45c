// terrarium wait NAME --for REGEX | --state STATE [--timeout S]
import { AppError } from "../../../native-core/common/errors.ts";
import { MACHINE_STATES, type MachineState } from "../../contract/schemas.ts";
import type { RpcClient } from "../../rpc/client.ts";
import type { RegisterCommand } from "../command.ts";
import { parseCount, parsePort, parseSeconds } from "../parse.ts";

interface Options {
  readonly for?: string;
  readonly state?: string;
  readonly timeout: string;
  readonly port: string;
  readonly from: string;
}

export const registerWait: RegisterCommand = (program, run) => {
  program
    .command("wait <name>")
    .description("wait until the serial output matches, or for a state; prints the match")
    .option("--for <regex>", "what the output since power-on has to match")
    .option("--state <state>", `one of ${MACHINE_STATES.join(", ")}`)
    .option("--timeout <seconds>", "give up after this time", "60")
    .option("--port <n>", "serial port", "0")
    .option("--from <offset>", "look only behind this place, as an earlier wait reported it", "0")
    .action(
      run(async (session, name: string, options: Options) => {
        const client = await session.client();
        const { id } = await session.machine(name);
        const timeoutMs = parseSeconds(options.timeout, "timeout");
        if (options.state !== undefined) {
          await waitForState(client, id, parseState(options.state), timeoutMs);
          session.print({ state: options.state }, "");
          return;
        }
        if (options.for === undefined) {
          throw new AppError("INVALID_ARGUMENT", "Say what to wait for", {
            field: "for",
            remedy: "Use --for REGEX or --state STATE.",
          });
        }
        const found = await client.machines.waitForOutput({
          id,
          port: parsePort(options.port),
          pattern: options.for,
          timeoutMs,
          fromOffset: parseCount(options.from, "from"),
        });
        session.print(found, found.match);
      }),
    );
};

function parseState(text: string): MachineState {
  const state = MACHINE_STATES.find((each) => each === text);
  if (state) return state;
  throw new AppError("INVALID_ARGUMENT", `There is no state ${text}`, {
    field: "state",
    remedy: MACHINE_STATES.join(", "),
  });
}

export async function waitForState(
  client: RpcClient,
  id: string,
  wanted: MachineState,
  timeoutMs: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const message = `The machine was not ${wanted} within ${timeoutMs / 1000} s`;
    const refuse = () => reject(new AppError("TIMEOUT", message, { field: "state", remedy: "Wait longer." }));
    timer = setTimeout(refuse, Math.min(timeoutMs, 2 ** 31 - 1));
  });
  try {
    await Promise.race([untilState(client, id, wanted), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** The subscription ends with the connection: to end it by a message of its own would race with the command's end. */
async function untilState(client: RpcClient, id: string, wanted: MachineState): Promise<void> {
  // Subscribed first, asked second: a change in between is seen as an event.
  const events = await client.events.subscribe();
  if ((await client.machines.get({ id })).state === wanted) return;
  for await (const event of events) {
    if (event.kind === "machine" && event.machine.id === id && event.machine.state === wanted) return;
    if (event.kind !== "machineRemoved" || event.id !== id) continue;
    throw new AppError("NOT_FOUND", "The machine was removed meanwhile", { field: "name" });
  }
  throw new AppError("IO_ERROR", `The host ended before the machine was ${wanted}`, {
    remedy: "`terrarium list` starts it again and shows the machine's state.",
  });
}
