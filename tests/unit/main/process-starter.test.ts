import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProcessExit, VmLauncher } from "../../../main/supervisor/launcher.ts";
import { ProcessStarter } from "../../../main/supervisor/process-starter.ts";
import { DEFAULT_TIMEOUTS } from "../../../main/supervisor/vm-client.ts";
import { ENGINE_PROTOCOL_VERSION } from "../../../native-core/protocol/engine.ts";

let started: { module: string; killed: boolean }[];

/** Processes that say hello at once and do nothing else. */
const launch: VmLauncher = (module) => {
  const entry = { module, killed: false };
  started.push(entry);
  let onExit: ((exit: ProcessExit) => void) | undefined;
  return {
    pid: started.length,
    send: () => undefined,
    onMessage: (listener) => {
      listener({ kind: "hello", protocol: ENGINE_PROTOCOL_VERSION, pid: started.length });
      return { dispose: () => undefined };
    },
    onExit: (listener) => {
      onExit = listener;
      return { dispose: () => undefined };
    },
    stderrTail: () => "",
    kill: () => {
      entry.killed = true;
      onExit?.({ code: null, signal: "SIGKILL" });
    },
  };
};

const alive = () => started.filter((entry) => !entry.killed).length;

beforeEach(() => {
  started = [];
  vi.useFakeTimers();
});

afterEach(() => void vi.useRealTimers());

describe("processes that wait", () => {
  it("come up a moment after a machine runs, and are what the next start gets", async () => {
    const processes = new ProcessStarter(launch, DEFAULT_TIMEOUTS, true);
    processes.keepReady("engine", "continues");
    expect(alive()).toBe(0);
    await vi.advanceTimersByTimeAsync(2000);
    expect(alive()).toBe(1);
    await processes.take("engine");
    expect(started).toHaveLength(1);
    processes.dispose();
  });

  it("leave a boot alone", async () => {
    const processes = new ProcessStarter(launch, DEFAULT_TIMEOUTS, true);
    processes.keepReady("engine", "boots");
    await vi.advanceTimersByTimeAsync(2000);
    expect(alive()).toBe(0);
    await vi.advanceTimersByTimeAsync(2000);
    expect(alive()).toBe(1);
    processes.dispose();
  });

  it("outlive a machine that goes back to a snapshot, but not for long", async () => {
    const processes = new ProcessStarter(launch, DEFAULT_TIMEOUTS, true);
    processes.keepReady("engine", "continues");
    await vi.advanceTimersByTimeAsync(2000);
    processes.restSoon();
    processes.release();
    await vi.advanceTimersByTimeAsync(2000);
    expect(alive()).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(alive()).toBe(0);
  });

  it("are not kept where nobody asked for that", async () => {
    const processes = new ProcessStarter(launch, DEFAULT_TIMEOUTS, false);
    processes.keepReady("engine", "continues");
    await vi.advanceTimersByTimeAsync(5000);
    expect(started).toEqual([]);
    processes.prepare("engine");
    processes.release();
    await vi.advanceTimersByTimeAsync(0);
    expect(alive()).toBe(0);
  });
});
