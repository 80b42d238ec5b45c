// VM processes as Electron utility processes: the same protocol over `parentPort`, no environment, and an end that Chromium reports.
import { type UtilityProcess, utilityProcess } from "electron";
import { Emitter } from "../../native-core/common/emitter.ts";
import type { ProcessExit, VmChannel, VmLauncher } from "../supervisor/launcher.ts";
import { minimalEnvironment, StderrTail, VM_PROCESS_OPTIONS } from "../supervisor/process-parts.ts";

export const launchUtilityProcess: VmLauncher = (module) => {
  const child = utilityProcess.fork(module, [], {
    env: minimalEnvironment(),
    execArgv: VM_PROCESS_OPTIONS,
    stdio: ["ignore", "ignore", "pipe"],
    serviceName: "Terrarium VM",
  });
  return channelTo(child);
};

function channelTo(child: UtilityProcess): VmChannel {
  const messages = new Emitter<unknown>();
  const exits = new Emitter<ProcessExit>();
  const tail = new StderrTail(child.stderr);
  child.on("message", (message: unknown) => messages.fire(message));
  child.on("exit", (code) => exits.fire({ code, signal: null }));
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => child.postMessage(message),
    onMessage: messages.event,
    onExit: exits.event,
    stderrTail: () => tail.text,
    kill() {
      // Electron's own `kill` is SIGTERM, which a process that hangs does not hear.
      if (child.pid !== undefined && process.platform !== "win32") process.kill(child.pid, "SIGKILL");
      else child.kill();
    },
  };
}
