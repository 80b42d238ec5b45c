// The command line: `terrarium COMMAND ...`. Each command is a file in commands/; all of them go through the contract, so they can do
// what the GUI does and nothing else.
import { Command, CommanderError } from "commander";
import type { Failure } from "../contract/schemas.ts";
import { toAppError } from "../rpc/client.ts";
import { failureOf } from "../services/failures.ts";
import { appVersion } from "../services/host/host-info.ts";
import { log } from "../services/log.ts";
import { resolveHome } from "../store/data-folder.ts";
import type { RegisterCommand, Run } from "./command.ts";
import { registerBackup, registerExport } from "./commands/backup.ts";
import { registerCatalogue } from "./commands/catalogue.ts";
import { registerClone, registerFork, registerTemplate } from "./commands/clone.ts";
import { registerConsole } from "./commands/console.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDiscard } from "./commands/discard.ts";
import { registerDisk } from "./commands/disk.ts";
import {
  registerDecrypt,
  registerDiskSecret,
  registerEncrypt,
  registerLock,
  registerPassphrase,
  registerUnlock,
} from "./commands/encryption.ts";
import { registerHost } from "./commands/host.ts";
import { registerList } from "./commands/list.ts";
import { registerLog } from "./commands/log.ts";
import { registerMedia } from "./commands/media.ts";
import { registerNetwork } from "./commands/network.ts";
import { registerPause } from "./commands/pause.ts";
import { registerRemove } from "./commands/remove.ts";
import { registerReset } from "./commands/reset.ts";
import { registerResume } from "./commands/resume.ts";
import { registerScreenshot } from "./commands/screenshot.ts";
import { registerSearch } from "./commands/search.ts";
import { registerSend } from "./commands/send.ts";
import { registerSet } from "./commands/set.ts";
import { registerShare } from "./commands/share.ts";
import { registerShow } from "./commands/show.ts";
import { registerSnapshot } from "./commands/snapshot.ts";
import { registerSpace } from "./commands/space.ts";
import { registerStart } from "./commands/start.ts";
import { registerStop } from "./commands/stop.ts";
import { registerTrash } from "./commands/trash.ts";
import { registerVerify } from "./commands/verify.ts";
import { registerWait } from "./commands/wait.ts";
import { EXIT_CODES, EXIT_CODES_HELP, EXIT_OK, EXIT_USAGE } from "./exit-codes.ts";
import { Session } from "./session.ts";

const COMMANDS: readonly RegisterCommand[] = [
  registerCreate,
  registerList,
  registerShow,
  registerSet,
  registerStart,
  registerWait,
  registerSend,
  registerConsole,
  registerSearch,
  registerScreenshot,
  registerPause,
  registerResume,
  registerReset,
  registerStop,
  registerDiscard,
  registerMedia,
  registerDisk,
  registerCatalogue,
  registerSnapshot,
  registerSpace,
  registerNetwork,
  registerShare,
  registerBackup,
  registerExport,
  registerVerify,
  registerClone,
  registerFork,
  registerTemplate,
  registerEncrypt,
  registerDecrypt,
  registerUnlock,
  registerLock,
  registerPassphrase,
  registerDiskSecret,
  registerRemove,
  registerTrash,
  registerLog,
  registerHost,
];

function createProgram(): Command {
  const program = new Command("terrarium");
  program
    .description("Runs virtual machines. Talks to the running app, or starts one in the background.")
    .version(appVersion())
    .option("--home <dir>", "data folder (default: TERRARIUM_HOME, or the system's place for application data)")
    .option("--json", "answer in JSON")
    .addHelpText("after", EXIT_CODES_HELP)
    // A script that asked for JSON gets wrong use explained as JSON too; see reportUsage.
    .configureOutput({ writeErr: (text) => void (wantsJson() || process.stderr.write(text)) })
    .exitOverride();
  const run: Run =
    (action) =>
    async (...args) => {
      const options = program.opts<{ home?: string; json?: boolean }>();
      const session = new Session({ home: resolveHome(options.home), json: options.json === true });
      try {
        await action(session, ...args);
      } catch (error) {
        throw session.explain(error);
      } finally {
        session.close();
      }
    };
  for (const register of COMMANDS) register(program, run);
  for (const command of allCommands(program)) command.exitOverride();
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...allCommands(each)]);
}

function reportFailure(error: unknown, json: boolean): number {
  const failure = failureOf(toAppError(error));
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: failure })}\n`);
  } else {
    const parts = [failure.message, failure.consequence, failure.remedy].filter((part) => part !== undefined);
    process.stderr.write(`terrarium: ${parts.join("\n  ")}\n`);
    log.debug({ err: error }, "the command failed");
  }
  return EXIT_CODES[failure.code];
}

/** Commander has printed what was wrong, or the help that was asked for, unless the answer is to be JSON. */
function reportUsage(error: CommanderError): number {
  if (error.exitCode === 0) return EXIT_OK;
  if (wantsJson()) {
    const message = error.code === "commander.help" ? "Say what to do" : error.message.replace(/^error: /, "");
    const failure: Failure = {
      code: "INVALID_ARGUMENT",
      message,
      consequence: "Nothing was done.",
      remedy: "`terrarium --help` shows the commands, `terrarium COMMAND --help` one of them.",
    };
    process.stderr.write(`${JSON.stringify({ error: failure })}\n`);
  }
  return EXIT_USAGE;
}

/** Known before the arguments are read, because it may be them that are wrong. */
function wantsJson(): boolean {
  return process.argv.includes("--json");
}

/** Whoever reads the answer, such as `head`, may have seen enough before its end: that is no failure. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_OK);
}

/** Carries out the command in process.argv; yields the exit code. */
export async function runCommandLine(): Promise<number> {
  process.stdout.on("error", endWithReader);
  try {
    await createProgram().parseAsync();
    return EXIT_OK;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error);
    return reportFailure(error, wantsJson());
  }
}
