// VM processes started by another program, which gives them a small disk or watches them: as main's launcher otherwise.
import { spawn } from "node:child_process";
import type { ProcessExit, VmLauncher } from "../../../main/supervisor/launcher.ts";
import { Emitter } from "../../../native-core/common/emitter.ts";

/** `command` gets `words` and then the command line of the VM process, which it has to become or to start. */
export function launchBy(command: string, words: readonly string[]): VmLauncher {
  return (module) => {
    // A group of its own, so that `kill` reaches the VM process behind the command.
    const child = spawn(command, [...words, process.execPath, module], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      detached: true,
    });
    const messages = new Emitter<unknown>();
    const exits = new Emitter<ProcessExit>();
    child.on("message", (message) => messages.fire(message));
    child.once("close", (code, signal) => exits.fire({ code, signal }));
    return {
      pid: child.pid,
      send: (message) => void child.send(message as object, () => undefined),
      onMessage: messages.event,
      onExit: exits.event,
      stderrTail: () => "",
      kill: () => void (child.pid === undefined || process.kill(-child.pid, "SIGKILL")),
    };
  };
}
