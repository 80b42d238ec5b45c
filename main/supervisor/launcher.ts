// How a VM process is started and spoken to. Node forks a child process (node-launcher.ts); Electron uses a utility process
// (main/desktop/utility-launcher.ts). Everything above this knows only the interface.
import type { Event } from "../../native-core/common/emitter.ts";

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface VmChannel {
  readonly pid: number | undefined;
  /** Structured clone; silently dropped once the process is gone. */
  send(message: unknown): void;
  readonly onMessage: Event<unknown>;
  /** Fired exactly once. */
  readonly onExit: Event<ProcessExit>;
  /** The last lines the process wrote to stderr, for the explanation of a crash. */
  stderrTail(): string;
  /** Ends it at once. */
  kill(): void;
}

/** Starts `module` in its own process. */
export type VmLauncher = (module: string) => VmChannel;
