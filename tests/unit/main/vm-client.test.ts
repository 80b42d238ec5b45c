import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { VmChannel } from "../../../main/supervisor/launcher.ts";
import { DEFAULT_TIMEOUTS, VmClient } from "../../../main/supervisor/vm-client.ts";
import { Emitter } from "../../../native-core/common/emitter.ts";
import { ENGINE_PROTOCOL_VERSION } from "../../../native-core/protocol/engine.ts";

const NEARLY = DEFAULT_TIMEOUTS.helloMs - 1000;

let messages: Emitter<unknown>;
let killed: boolean;
let channel: VmChannel;

beforeEach(() => {
  vi.useFakeTimers();
  messages = new Emitter();
  killed = false;
  channel = {
    pid: 1,
    send: () => undefined,
    onMessage: messages.event,
    onExit: () => ({ dispose: () => undefined }),
    stderrTail: () => "",
    kill: () => {
      killed = true;
    },
  };
});

afterEach(() => void vi.useRealTimers());

const hello = () => messages.fire({ kind: "hello", protocol: ENGINE_PROTOCOL_VERSION, pid: 1 });

describe("a VM process that starts on a busy host", () => {
  it("may take its time for as long as it gets on", async () => {
    const client = VmClient.connect(channel);
    for (const phase of ["loading", "compiling"]) {
      await vi.advanceTimersByTimeAsync(NEARLY);
      messages.fire({ kind: "starting", phase });
    }
    await vi.advanceTimersByTimeAsync(NEARLY);
    hello();
    await expect(client).resolves.toBeInstanceOf(VmClient);
  });

  it("is given up when it does not get on, whatever it repeats", async () => {
    const refused = expect(VmClient.connect(channel)).rejects.toMatchObject({ code: "TIMEOUT" });
    for (let seconds = 0; seconds < 60; seconds += 5) {
      messages.fire({ kind: "starting", phase: "loading" });
      await vi.advanceTimersByTimeAsync(5000);
    }
    await refused;
    expect(killed).toBe(true);
  });

  it("is heard when its hello comes in the moment in which the time is up", async () => {
    const client = VmClient.connect(channel);
    setTimeout(hello, DEFAULT_TIMEOUTS.helloMs);
    await vi.advanceTimersByTimeAsync(DEFAULT_TIMEOUTS.helloMs + 1);
    await expect(client).resolves.toBeInstanceOf(VmClient);
  });
});
