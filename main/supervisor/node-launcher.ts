// VM processes as forked Node processes: nothing of the host's environment is handed down but what the system itself needs.
import { fork } from "node:child_process";
import { Emitter } from "../../native-core/common/emitter.ts";
import type { ProcessExit, VmLauncher } from "./launcher.ts";
import { minimalEnvironment, StderrTail, VM_PROCESS_OPTIONS } from "./process-parts.ts";

export const launchNodeProcess: VmLauncher = (module) => {
  const child = fork(module, [], {
    env: minimalEnvironment(),
    execArgv: VM_PROCESS_OPTIONS,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const messages = new Emitter<unknown>();
  const exits = new Emitter<ProcessExit>();
  const tail = new StderrTail(child.stderr);
  let ended = false;
  child.on("message", (message) => messages.fire(message));
  const end = (exit: ProcessExit) => {
    if (ended) return;
    ended = true;
    exits.fire(exit);
  };
  child.on("error", (error) => {
    tail.add(error.message);
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
    stderrTail: () => tail.text,
    kill: () => void child.kill("SIGKILL"),
  };
};
