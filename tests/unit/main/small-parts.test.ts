import { describe, expect, it } from "vitest";
import { parseValue } from "../../../main/cli/commands/set.ts";
import { EXIT_CODES } from "../../../main/cli/exit-codes.ts";
import { bytes, table } from "../../../main/cli/format.ts";
import { parseDisk, parseMiB, parsePort, parseSeconds } from "../../../main/cli/parse.ts";
import { MACHINE_STATES } from "../../../main/contract/schemas.ts";
import { EventHub } from "../../../main/services/events.ts";
import { failureOf } from "../../../main/services/failures.ts";
import { canChange, isStill, requireState, TRANSITIONS } from "../../../main/services/machines/states.ts";
import { Mutex } from "../../../main/services/mutex.ts";
import { TaskService } from "../../../main/services/tasks.ts";
import { fileOfError, ioFailure } from "../../../main/store/io-error.ts";
import { lastLine } from "../../../main/supervisor/vm-client.ts";
import { AppError, ERROR_CODES } from "../../../native-core/common/errors.ts";
import { settingFields } from "../../../native-core/config/changes.ts";

describe("the life cycle", () => {
  it("leads from every state back to rest, and never from rest to running without a step between", () => {
    for (const state of MACHINE_STATES) {
      const reached = new Set([state]);
      for (const each of reached) for (const next of TRANSITIONS[each]) reached.add(next);
      expect([...reached].some(isStill)).toBe(true);
      if (isStill(state)) expect(canChange(state, "running")).toBe(false);
    }
  });

  it("can abort from every state that has a VM process", () => {
    for (const state of MACHINE_STATES.filter((each) => !isStill(each))) expect(canChange(state, "aborted")).toBe(true);
  });

  it("refuses with the states that would do", () => {
    expect(() => requireState("vm", "saving", ["running", "paused"], "reset")).toThrow(
      expect.objectContaining({
        code: "INVALID_STATE",
        message: '"vm" is being saved, so it can\'t be reset',
        details: expect.objectContaining({ remedy: "The machine has to be running or paused first." }),
      }),
    );
  });
});

describe("the event hub", () => {
  it("numbers per subscription and ends with it", async () => {
    const hub = new EventHub();
    hub.emit({ kind: "machineRemoved", id: "000000000000" });
    const stream = hub.subscribe();
    hub.emit({ kind: "machineRemoved", id: "111111111111" });
    hub.emit({ kind: "machineRemoved", id: "222222222222" });
    expect((await stream.next()).value).toMatchObject({ sequence: 0, id: "111111111111" });
    expect((await stream.next()).value).toMatchObject({ sequence: 1, id: "222222222222" });
    const waiting = stream.next();
    hub.close();
    expect((await waiting).done).toBe(true);
    expect(hub.subscriberCount).toBe(0);
  });

  it("lets go of a subscriber that does not read", async () => {
    const hub = new EventHub();
    const stream = hub.subscribe();
    for (let n = 0; n < 10_001; n += 1) hub.emit({ kind: "machineRemoved", id: "111111111111" });
    expect(hub.subscriberCount).toBe(0);
    expect((await stream.next()).done).toBe(true);
  });

  it("ends a subscription whose client went away", async () => {
    const hub = new EventHub();
    const abort = new AbortController();
    const stream = hub.subscribe(abort.signal);
    abort.abort();
    expect((await stream.next()).done).toBe(true);
  });
});

describe("a task", () => {
  it("shows its progress in whole percents and its result", async () => {
    const events = new EventHub();
    const tasks = new TaskService(events);
    const stream = events.subscribe();
    const result = await tasks.run({ title: "t", machineId: null, cancellable: false }, async (task) => {
      for (const share of [0.1, 0.1001, 0.2, 5]) task.progress(share);
      return 7;
    });
    expect(result).toBe(7);
    events.close();
    const progress: (number | null)[] = [];
    for await (const event of stream) if (event.kind === "task") progress.push(event.task.progress);
    expect(progress).toEqual([null, 0.1, 0.2, 1, 1]);
    expect(tasks.list()).toMatchObject([{ state: "succeeded" }]);
  });

  it("that fails keeps its failure; that was cancelled is not a failure", async () => {
    const tasks = new TaskService(new EventHub());
    const options = { title: "t", machineId: null, cancellable: true };
    const full = new AppError("NO_SPACE", "full");
    await expect(tasks.run(options, () => Promise.reject(full))).rejects.toBe(full);
    const running = tasks.run(options, async (task) => {
      tasks.cancel(tasks.list()[1]?.id ?? "");
      if (task.signal.aborted) throw new AppError("CANCELLED", "cancelled");
    });
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(tasks.list()).toMatchObject([{ state: "failed", failure: { code: "NO_SPACE" } }, { state: "cancelled" }]);
  });

  it("that is not safe to cancel says so", async () => {
    const tasks = new TaskService(new EventHub());
    await tasks.run({ title: "saving", machineId: null, cancellable: false }, async () => {
      expect(() => tasks.cancel(tasks.list()[0]?.id ?? "")).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    });
  });

  it("is forgotten when many others have ended since", async () => {
    const tasks = new TaskService(new EventHub());
    for (let n = 0; n < 60; n += 1)
      await tasks.run({ title: `${n}`, machineId: null, cancellable: false }, async () => n);
    expect(tasks.list()).toHaveLength(50);
    expect(tasks.list()[0]?.title).toBe("10");
  });
});

describe("a mutex", () => {
  it("runs one after the other, also after a failure, and knows when it is free", async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const first = mutex.run(async () => {
      await Promise.resolve();
      order.push("first");
      throw new Error("first");
    });
    const second = mutex.run(async () => void order.push("second"));
    expect(mutex.busy).toBe(true);
    await expect(first).rejects.toThrow("first");
    await second;
    expect(order).toEqual(["first", "second"]);
    expect(mutex.busy).toBe(false);
  });
});

describe("file errors", () => {
  it.each([
    ["ENOSPC", "NO_SPACE"],
    ["EACCES", "PERMISSION_DENIED"],
    ["ENOENT", "NOT_FOUND"],
    ["EIO", "IO_ERROR"],
  ])("%s becomes %s with file and remedy", (code, expected) => {
    const error = Object.assign(new Error(code), { code });
    expect(ioFailure(error, "/a/file", { consequence: "so what" })).toMatchObject({
      code: expected,
      details: { file: "/a/file", remedy: expect.any(String), consequence: "so what" },
    });
  });

  it("leave defects what they are, and clients hear nothing of their inside", () => {
    const defect = new TypeError("x is undefined");
    expect(ioFailure(defect, "/a/file")).toBe(defect);
    expect(failureOf(defect)).toMatchObject({ code: "IO_ERROR", message: "Internal error: x is undefined" });
  });
});

describe("the last words of a process", () => {
  it.each([
    ["TypeError: x\n    at y\n\nNode.js v24.0.0\n", "TypeError: x"],
    ["first\nsecond\n", "second"],
    ["", ""],
  ])("of %j are %j", (text, expected) => expect(lastLine(text)).toBe(expected));
});

describe("values on the command line", () => {
  it("are sizes with or without a unit", () => {
    expect(["256", "256M", "1.5G", "2 GiB"].map((text) => parseMiB(text, "memory"))).toEqual([256, 256, 1536, 2048]);
    for (const text of ["", "x", "0", "-1", "1.3M", "5X"]) expect(() => parseMiB(text, "memory")).toThrow("not a size");
  });

  it("tell sizes from files", () => {
    const isSize = (text: string) => "sizeMiB" in parseDisk(text);
    expect(["4G", "512", "100MiB"].every(isSize)).toBe(true);
    expect(["disk.img", "/a/4G", "4G.qcow2"].some(isSize)).toBe(false);
  });

  it("are seconds and ports", () => {
    expect(parseSeconds("1.5", "timeout")).toBe(1500);
    expect(() => parseSeconds("soon", "timeout")).toThrow("seconds");
    expect(parsePort("1")).toBe(1);
    expect(() => parsePort("2")).toThrow("serial port");
  });

  it.each([
    ["memoryMiB", "512", 512],
    ["memoryMiB", "1G", 1024],
    ["name", "512", "512"],
    ["boot.initrd", "null", null],
    ["boot.commandLine", "a=b c=d", "a=b c=d"],
    ["disks", "[]", []],
  ])("for %s turn %j into %j", (path, text, expected) => {
    const setting = settingFields().find((field) => field.path === path);
    if (!setting) throw new Error("no such setting");
    expect(parseValue(setting, text)).toEqual(expected);
  });

  it("are answered in aligned columns and readable sizes", () => {
    expect(
      table([
        ["a", "bbb"],
        ["cc", "d"],
      ]),
    ).toBe("a   bbb\ncc  d");
    expect([0, 1023, 1536, 10 << 20].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "10 MiB"]);
  });
});

describe("exit codes", () => {
  it("are there for every failure and never 0", () => {
    expect(Object.keys(EXIT_CODES).sort()).toEqual([...ERROR_CODES].sort());
    expect(Object.values(EXIT_CODES)).not.toContain(0);
  });
});

describe("the file that a failed copy is about", () => {
  const copy = (code: string) => Object.assign(new Error(code), { code, path: "/from", dest: "/to" });

  it("is the new one when there is no room for it, else the one that was copied", () => {
    expect(fileOfError(copy("ENOSPC"))).toBe("/to");
    expect(fileOfError(copy("ENOENT"))).toBe("/from");
    expect(fileOfError("no error")).toBeNull();
  });
});
