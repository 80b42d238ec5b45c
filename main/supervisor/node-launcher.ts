// VM processes as forked Node processes: nothing of the host's environment is handed down but what the system itself needs.
import { fork } from "node:child_process";
import { Emitter } from "../../native-core/common/emitter.ts";
import type { ProcessExit, VmLauncher } from "./launcher.ts";

const STDERR_TAIL_BYTES = 4096;

/** Windows can't open sockets without SystemRoot; the temporary folder may hold the data socket. */
const PASSED_ON = ["SystemRoot", "TMPDIR", "TEMP", "TMP"] as const;

function minimalEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

export const launchNodeProcess: VmLauncher = (module) => {
  const child = fork(module, [], {
    env: minimalEnvironment(),
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const messages = new Emitter<unknown>();
  const exits = new Emitter<ProcessExit>();
  let tail = "";
  let ended = false;
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (text: string) => {
    tail = (tail + text).slice(-STDERR_TAIL_BYTES);
  });
  child.on("message", (message) => messages.fire(message));
  const end = (exit: ProcessExit) => {
    if (ended) return;
    ended = true;
    exits.fire(exit);
  };
  child.on("error", (error) => {
    tail += error.message;
    if (child.pid === undefined) end({ code: null, signal: null });
  });
  // `close`, not `exit`: by then everything it said on stderr has been read.
  child.on("close", (code, signal) => end({ code, signal }));
  return {
    pid: child.pid,
    send(message) {
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage: messages.event,
    onExit: exits.event,
    stderrTail: () => tail,
    kill: (force) => void child.kill(force ? "SIGKILL" : "SIGTERM"),
  };
};
