import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { sendText, waitForOutput } from "../../../main/services/machines/serial.ts";
import { endTestApp, type FakeVm, openTestApp, startTestApp } from "../../support/test-app.ts";
import { waitUntil } from "../../support/wait-until.ts";

let folder: string;
let app: App;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
});

afterEach(() => endTestApp(app, folder));

async function reopen(vm: FakeVm, timeouts = {}): Promise<void> {
  await app.close("power-off");
  app = await openTestApp(folder, { vm, timeouts });
}

async function machineThat(behaves: string): Promise<Machine> {
  const machine = await createStarter(app.context, {});
  const { config } = machine.record;
  await configure(app.context, machine, { ...config, boot: { ...config.boot, commandLine: behaves } });
  return machine;
}

function output(machine: Machine, pattern: string): Promise<{ match: string }> {
  return waitForOutput(machine, { port: 0, pattern, timeoutMs: 5000, fromOffset: 0 });
}

describe("a machine that is started", () => {
  it("runs, pauses, resumes and powers off", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    expect(machine.state).toBe("running");
    await output(machine, "booted 256 MiB");
    await app.lifecycle.pause(machine);
    expect(machine.state).toBe("paused");
    await app.lifecycle.resume(machine);
    expect(machine.state).toBe("running");
    await app.lifecycle.stop(machine, "power-off");
    expect(machine.state).toBe("powered-off");
    expect(machine.record.lastFailure).toBeNull();
  });

  it("is recorded as running before the guest can touch its disks", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    expect(JSON.parse(readFileSync(machine.paths.record, "utf8")).state).toBe("running");
  });

  it("can't be started twice, and says why", async () => {
    const machine = await createStarter(app.context, {});
    await Promise.allSettled([app.lifecycle.start(machine)]);
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({
      code: "INVALID_STATE",
      message: expect.stringContaining("is running"),
    });
  });

  it("answers the power button by shutting down", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "acpi");
    await waitUntil("it is off", () => machine.state === "powered-off");
  });

  it("ends when the guest powers itself off", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "poweroff\n");
    await waitUntil("it is off", () => machine.state === "powered-off");
    expect(machine.record.lastFailure).toBeNull();
  });

  it("takes four VM processes for four machines at once", async () => {
    const machines = await Promise.all([1, 2, 3, 4].map((n) => createStarter(app.context, { name: `vm${n}` })));
    await Promise.all(machines.map((machine) => app.lifecycle.start(machine)));
    expect(new Set(machines.map((machine) => machine.vm?.client.pid)).size).toBe(4);
  });
});

describe("a saved state", () => {
  it("is continued by the next start and used up by it", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\ntwo\n");
    await app.lifecycle.stop(machine, "save");
    expect(machine.state).toBe("saved");
    await app.lifecycle.start(machine);
    await output(machine, "typed lines: 2");
    expect(machine.record.savedState).toBeNull();
    await app.lifecycle.stop(machine, "power-off");
    await waitUntil("the used state is gone", () => readdirSync(machine.paths.savedState).length === 0);
  });

  it("survives the host", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "one\n");
    await app.close("save");
    app = await openTestApp(folder);
    const again = app.context.registry.get(machine.id);
    expect(again.state).toBe("saved");
    await app.lifecycle.start(again);
    await output(again, "typed lines: 1");
  });

  it("whose continuation fails half-way is not offered again, because its disks may have moved on", async () => {
    const machine = await machineThat("fail-on=resume");
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(machine.state).toBe("aborted");
    expect(machine.record).toMatchObject({ savedState: null, state: "aborted" });
  });

  it("that the engine can't read is kept", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await writeFile(path.join(machine.paths.folder, machine.record.savedState ?? "", "memory.json"), "damaged");
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    expect(machine.state).toBe("saved");
    expect(machine.record.savedState).not.toBeNull();
  });

  it("can be discarded", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await app.lifecycle.discardSavedState(machine);
    expect(machine.state).toBe("powered-off");
    await waitUntil("its files are gone", () => readdirSync(machine.paths.savedState).length === 0);
  });

  it("that can't be written for lack of space leaves the machine running", async () => {
    const machine = await machineThat("fail-on=saveState");
    await app.lifecycle.start(machine);
    await expect(app.lifecycle.stop(machine, "save")).rejects.toMatchObject({
      code: "NO_SPACE",
      details: { file: "/some/disk", remedy: "Free some space." },
    });
    expect(machine.state).toBe("running");
    expect(machine.record.pending).toBeNull();
    await output(machine, "booted");
  });
});

describe("a VM process that misbehaves", () => {
  it("and is killed leaves its machine aborted with cause and remedy, the others running", async () => {
    const [victim, other] = [await createStarter(app.context, {}), await createStarter(app.context, {})];
    await app.lifecycle.start(victim);
    await app.lifecycle.start(other);
    process.kill(victim.vm?.client.pid ?? 0, "SIGKILL");
    await waitUntil("it is aborted", () => victim.state === "aborted");
    expect(victim.record.lastFailure).toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.stringContaining("SIGKILL"),
      consequence: expect.stringContaining("snapshots are kept"),
      remedy: expect.any(String),
    });
    expect(other.state).toBe("running");
    await app.lifecycle.start(victim);
    expect(victim.state).toBe("running");
    expect(victim.record.lastFailure).toBeNull();
  });

  it("and crashes says its last words in the failure", async () => {
    const machine = await machineThat("crash-on=start");
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.stringContaining("the fake engine fell over"),
    });
    expect(machine.state).toBe("powered-off");
    expect(machine.record.lastFailure?.message).toContain("fell over");
  });

  it.each([
    ["triple\n", "triple fault"],
    ["engine-failure\n", "the JIT ran out of pages"],
  ])("and stops on %j leaves the machine aborted", async (typed, cause) => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, typed);
    await waitUntil("it is aborted", () => machine.state === "aborted");
    expect(machine.record.lastFailure?.message).toContain(cause);
  });

  it("and finds the host's disk full stands still, says why, and goes on when it is resumed", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    await sendText(machine, 0, "disk-full\n");
    await waitUntil("it is paused", () => machine.state === "paused" && machine.record.lastFailure !== null);
    expect(machine.record.lastFailure).toMatchObject({ code: "NO_SPACE", message: "the disk is full" });
    await app.lifecycle.resume(machine);
    expect(machine.state).toBe("running");
    expect(machine.record.lastFailure).toBeNull();
  });

  it("and falls over while it starts is explained", async () => {
    await reopen("broken");
    const machine = await createStarter(app.context, {});
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({
      message: expect.stringContaining("the module is broken"),
    });
    expect(machine.state).toBe("powered-off");
  });

  it("and never says hello is given up and killed", async () => {
    await reopen("silent", { helloMs: 300 });
    const machine = await createStarter(app.context, {});
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(machine.state).toBe("powered-off");
  });

  it("and speaks another protocol version is refused", async () => {
    await reopen("foreign");
    const machine = await createStarter(app.context, {});
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "VERSION_MISMATCH" });
    expect(machine.state).toBe("powered-off");
  });

  it("and does not answer can still be powered off", async () => {
    await reopen("fake", { requestMs: 300 });
    const machine = await machineThat("hang-on=powerOff");
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "power-off");
    expect(machine.state).toBe("powered-off");
  });

  it("and hangs while it saves can be powered off meanwhile", async () => {
    const machine = await machineThat("hang-on=saveState");
    await app.lifecycle.start(machine);
    const saving = app.lifecycle.stop(machine, "save");
    saving.catch(() => undefined);
    await waitUntil("it is saving", () => machine.state === "saving");
    await app.lifecycle.stop(machine, "power-off");
    await expect(saving).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    expect(machine.state).toBe("powered-off");
    expect(machine.record.pending).toBeNull();
  });

  it("and answers nonsense fails that request only", async () => {
    const machine = await machineThat("nonsense-on=pause");
    await app.lifecycle.start(machine);
    await expect(app.lifecycle.pause(machine)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    expect(machine.state).toBe("running");
  });
});

describe("the end of a machine that can't be written down", () => {
  it("holds in memory and is written as soon as that is possible", async () => {
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    // In place of a full disk: no rename can replace a folder by a file.
    const aside = `${machine.paths.record}.aside`;
    await rename(machine.paths.record, aside);
    await mkdir(path.join(machine.paths.record, "in-the-way"), { recursive: true });
    await app.lifecycle.stop(machine, "power-off");
    expect(machine.state).toBe("powered-off");
    await rm(machine.paths.record, { recursive: true });
    await rename(aside, machine.paths.record);
    expect(JSON.parse(readFileSync(machine.paths.record, "utf8")).state).toBe("running");
    await app.close();
    expect(JSON.parse(readFileSync(machine.paths.record, "utf8")).state).toBe("powered-off");
    app = await openTestApp(folder);
  });
});

describe("the start of a machine", () => {
  it("whose disk was taken away says which, and starts when it is back", async () => {
    const machine = await createStarter(app.context, {});
    const disk = path.join(machine.paths.disks, "disk0.qcow2");
    await rename(disk, `${disk}.away`);
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: {
        file: disk,
        field: "disks.0",
        consequence: "The machine was not started.",
        remedy: expect.stringContaining("back to its place"),
      },
    });
    expect(machine.state).toBe("powered-off");
    await rename(`${disk}.away`, disk);
    await app.lifecycle.start(machine);
  });

  it("whose disk is cut off fails with the file's name and changes nothing", async () => {
    const machine = await createStarter(app.context, {});
    const disk = path.join(machine.paths.disks, "disk0.qcow2");
    await truncate(disk, 100);
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "INVALID_FILE", details: { file: disk } });
    expect(machine.state).toBe("powered-off");
    expect(machine.vm).toBeNull();
  });

  it("hands the VM process nothing of the host's environment", async () => {
    process.env["TERRARIUM_TEST_SECRET"] = "do not pass on";
    const machine = await createStarter(app.context, {});
    await app.lifecycle.start(machine);
    const environment = `/proc/${machine.vm?.client.pid}/environ`;
    delete process.env["TERRARIUM_TEST_SECRET"];
    if (existsSync(environment)) expect(readFileSync(environment, "latin1")).not.toContain("do not pass on");
  });
});
