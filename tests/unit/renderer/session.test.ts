import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CONTRACT_VERSION, type HostInfo, type MachineSummary, type Task } from "../../../main/contract/schemas.ts";
import { Connection } from "../../../renderer/api/connection.ts";
import { applyEvent } from "../../../renderer/api/events.ts";
import { keys } from "../../../renderer/api/keys.ts";
import { followTask, notices, notify, notifyFailure } from "../../../renderer/features/notifications/model.ts";
import { AccessDenied, type Platform, type RpcConnection } from "../../../renderer/platform/platform.ts";

const info = { contractVersion: CONTRACT_VERSION, notices: [] as string[] } as unknown as HostInfo;

/** A host that answers `host.info`; each connection can be cut. */
function fakePlatform(host: () => HostInfo | Error) {
  const cuts: (() => void)[] = [];
  const connect = async (): Promise<RpcConnection> => {
    const answer = host();
    if (answer instanceof Error) throw answer;
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    cuts.push(resolve);
    return { link: { call: async () => answer }, closed, close: resolve };
  };
  const platform: Platform = {
    kind: "browser",
    connect,
    pathOf: () => null,
    openDataChannel: () => {
      throw new Error("not used here");
    },
  };
  return { platform, cut: () => cuts.at(-1)?.() };
}

beforeEach(() => {
  vi.useFakeTimers();
  notices.set([]);
});
afterEach(() => void vi.useRealTimers());

describe("control connection", () => {
  test("a lost connection is made anew and the window refetches", async () => {
    const { platform, cut } = fakePlatform(() => info);
    const connection = new Connection(platform);
    const onOpen = vi.fn();
    void connection.run(onOpen);
    await vi.waitFor(() => expect(connection.state.get().kind).toBe("open"));
    cut();
    await vi.waitFor(() => expect(connection.state.get().kind).toBe("lost"));
    await vi.advanceTimersByTimeAsync(300);
    expect(connection.state.get().kind).toBe("open");
    expect(onOpen).toHaveBeenCalledTimes(2);
  });

  test("another contract version is reported and not tried again", async () => {
    const { platform } = fakePlatform(() => ({ ...info, contractVersion: CONTRACT_VERSION + 1 }));
    const connection = new Connection(platform);
    await connection.run(() => expect.unreachable());
    expect(connection.state.get()).toEqual({ kind: "mismatch", ours: CONTRACT_VERSION, theirs: CONTRACT_VERSION + 1 });
  });

  test("a refused session is reported and not tried again", async () => {
    const connection = new Connection(fakePlatform(() => new AccessDenied("over")).platform);
    await connection.run(() => expect.unreachable());
    expect(connection.state.get().kind).toBe("denied");
  });

  test("the pauses between attempts grow, and `retryNow` ends one", async () => {
    let attempts = 0;
    const { platform } = fakePlatform(() => {
      attempts++;
      return new Error("refused");
    });
    const connection = new Connection(platform);
    void connection.run(() => undefined);
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toBe(1);
    await vi.advanceTimersByTimeAsync(250);
    expect(attempts).toBe(2);
    await vi.advanceTimersByTimeAsync(250);
    expect(attempts).toBe(2);
    connection.retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(attempts).toBe(3);
  });
});

describe("events", () => {
  const machine = (revision: number, name: string): MachineSummary => ({
    id: "0123456789ab",
    name,
    osType: "linux",
    group: "",
    state: "running",
    currentSnapshotName: null,
    lastFailure: null,
    template: false,
    encryption: "none",
    createdAtMs: 0,
    revision,
  });
  const sinks = {
    onMachineChanged: vi.fn(),
    onTask: () => undefined,
    onMachineRemoved: vi.fn(),
    onPreferences: () => undefined,
  };
  const names = (cache: QueryClient) => cache.getQueryData<MachineSummary[]>(keys.machines)?.map(({ name }) => name);

  test("a newer record replaces an older one, an older one is ignored, a new machine is added", () => {
    const cache = new QueryClient();
    cache.setQueryData(keys.machines, [machine(5, "five")]);
    applyEvent(cache, { kind: "machine", sequence: 1, machine: machine(4, "four") }, sinks);
    expect(names(cache)).toEqual(["five"]);
    applyEvent(cache, { kind: "machine", sequence: 2, machine: machine(6, "six") }, sinks);
    expect(names(cache)).toEqual(["six"]);
    expect(sinks.onMachineChanged.mock.calls).toEqual([[machine(5, "five"), machine(6, "six")]]);
    applyEvent(cache, { kind: "machine", sequence: 3, machine: { ...machine(1, "new"), id: "ffffffffffff" } }, sinks);
    expect(names(cache)).toEqual(["six", "new"]);
  });

  test("a removed machine leaves nothing behind in the cache", () => {
    const cache = new QueryClient();
    cache.setQueryData(keys.machines, [machine(1, "gone")]);
    cache.setQueryData(keys.snapshots("0123456789ab"), {});
    applyEvent(cache, { kind: "machineRemoved", sequence: 1, id: "0123456789ab" }, sinks);
    expect(names(cache)).toEqual([]);
    expect(cache.getQueryData(keys.snapshots("0123456789ab"))).toBeUndefined();
    expect(sinks.onMachineRemoved).toHaveBeenCalledWith("0123456789ab");
  });
});

describe("notifications", () => {
  const failure = { code: "NO_SPACE", message: "The disk is full" } as const;
  const task = (change: Partial<Task> = {}): Task => ({
    id: "t1",
    title: "Cloning",
    machineId: null,
    state: "running",
    progress: null,
    cancellable: true,
    failure: null,
    startedAtMs: Date.now(),
    endedAtMs: null,
    ...change,
  });
  const shown = () => notices.get().map(({ kind, title }) => `${kind}: ${title}`);

  test("a failure that arrives as rejection and as failed task is shown once", () => {
    notifyFailure("Start failed", failure);
    followTask(task({ state: "failed", failure }), () => undefined);
    expect(shown()).toEqual(["error: Start failed"]);
  });

  test("a task is shown only when it lasts, with progress and a way to cancel it", () => {
    const cancel = vi.fn();
    followTask(task(), cancel);
    expect(shown()).toEqual([]);
    vi.advanceTimersByTime(500);
    expect(shown()).toEqual(["progress: Cloning"]);
    followTask(task({ progress: 0.5 }), cancel);
    expect(notices.get()[0]?.progress).toBe(0.5);
    notices.get()[0]?.actions[0]?.run();
    expect(cancel).toHaveBeenCalledWith("t1");
    followTask(task({ state: "succeeded" }), cancel);
    expect(shown()).toEqual(["success: Cloning"]);
  });

  test("a task that ends quickly leaves no trace", () => {
    followTask(task(), () => undefined);
    followTask(task({ state: "succeeded" }), () => undefined);
    vi.advanceTimersByTime(1000);
    expect(shown()).toEqual([]);
  });

  test("the list of notifications stays bounded", () => {
    for (let count = 0; count < 80; count++) notify({ kind: "info", title: String(count) });
    expect(notices.get().length).toBe(50);
    expect(notices.get()[0]?.title).toBe("79");
  });
});
