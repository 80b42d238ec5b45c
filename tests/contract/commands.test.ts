// Every command of the contract, on both transports; those for what machines keep are in storage-commands.test.ts.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeConfig } from "../../main/contract/change-config.ts";
import { type AppEvent, CONTRACT_VERSION } from "../../main/contract/schemas.ts";
import type { RpcClient } from "../../main/rpc/client.ts";
import type { App } from "../../main/services/app.ts";
import { kernelBytes } from "../support/test-app.ts";
import { waitUntil } from "../support/wait-until.ts";
import { COMMANDS, type CommandName, openRecorded, type RecordedApp, STORAGE_COMMANDS } from "./recorded-app.ts";
import { failureOf, TRANSPORTS } from "./transports.ts";

const FORWARD = { protocol: "tcp", hostAddress: "127.0.0.1", hostPort: 8080, guestAddress: "", guestPort: 80 } as const;

describe.each(TRANSPORTS)("the contract over %s", (_, connect) => {
  let opened: RecordedApp;
  let folder: string;
  let app: App;
  let client: RpcClient;
  const called = new Set<CommandName>();

  beforeEach(async () => {
    opened = await openRecorded(connect, called);
    ({ folder, app, client } = opened);
  });

  afterEach(() => opened.close());

  it("tells about the host", async () => {
    expect(await client.host.info()).toMatchObject({
      contractVersion: CONTRACT_VERSION,
      starterAvailable: true,
      notices: [],
    });
  });

  it("creates, lists, shows, configures and removes machines, and brings them back", async () => {
    const kernel = path.join(folder, "kernel");
    await writeFile(kernel, kernelBytes());
    const starter = await client.machines.createStarter({});
    expect(starter).toMatchObject({ name: "Starter Linux", state: "powered-off", disks: [{ sizeBytes: 8 << 20 }] });
    const custom = await client.machines.create({ name: "Custom", kernel, disks: [{ sizeMiB: 16 }] });
    expect(await client.machines.list()).toMatchObject([{ name: "Custom" }, { name: "Starter Linux" }]);
    const larger = await client.machines.configure({ id: custom.id, config: { ...custom.config, memoryMiB: 512 } });
    expect(larger.config.memoryMiB).toBe(512);
    expect(larger.revision).toBeGreaterThan(custom.revision);
    const withDisk = await client.machines.addDisk({ id: custom.id, disk: { sizeMiB: 1 } });
    expect(withDisk.disks.map((disk) => disk.id)).toEqual(["disk0", "disk1"]);
    await client.machines.addDisk({ id: custom.id, disk: { sizeMiB: 1 } });
    const { removed, file } = await client.machines.removeDisk({ id: custom.id, diskId: "disk2" });
    expect([removed, file]).toEqual([true, expect.stringMatching(/disk2\.qcow2$/)]);
    const image = { id: custom.id, file: file ?? "" };
    const { undo } = await client.disks.delete(image);
    expect(await failureOf(client.machines.attachDisk(image))).toMatchObject({ code: "NOT_FOUND", field: "file" });
    await client.trash.restore({ name: undo?.name ?? "" });
    expect((await client.machines.attachDisk(image)).config.disks).toHaveLength(3);
    await client.machines.removeDisk({ id: custom.id, diskId: "disk2" });
    expect(await client.disks.delete({ ...image, permanently: true })).toEqual({ undo: null });
    await client.machines.remove({ id: custom.id });
    expect(await client.machines.list()).toHaveLength(1);
    expect(await client.machines.undoRemove({ id: custom.id })).toMatchObject({
      name: "Custom",
      config: { memoryMiB: 512 },
    });
    expect((await client.machines.get({ id: custom.id })).disks).toHaveLength(2);
    expect(await client.machines.clone({ id: custom.id, name: "Twin" })).toMatchObject([{ name: "Twin" }]);
    expect(await client.machines.resizeDisk({ id: custom.id, diskId: "disk1", sizeMiB: 4 })).toMatchObject({
      disks: [{}, { sizeBytes: 4 << 20 }],
      safetySnapshotId: expect.any(String),
    });
    expect(await failureOf(client.machines.resizeDisk({ id: custom.id, diskId: "disk1", sizeMiB: 4 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "sizeMiB",
    });
    expect(await client.machines.space({ id: custom.id })).toMatchObject({ guestBytes: 20 << 20 });
    expect(await client.machines.reclaim({ id: custom.id })).toEqual({ freedBytes: expect.any(Number) });
    await client.machines.setTemplate({ id: custom.id, template: true });
    expect(await failureOf(client.machines.start({ id: custom.id }))).toMatchObject({
      code: "INVALID_STATE",
      field: "template",
    });
    const workers = await client.machines.clone({ id: custom.id, name: "Worker", kind: "linked", count: 2 });
    expect(workers).toMatchObject([
      { name: "Worker 1", template: false, origin: { kind: "linked", machineId: custom.id, machineName: "Custom" } },
      { name: "Worker 2" },
    ]);
    await client.machines.remove({ id: starter.id });
    expect(await client.trash.list()).toMatchObject([{ machineId: starter.id, machineName: "Starter Linux" }]);
    const twin = (await client.machines.list()).find((machine) => machine.name === "Twin");
    await client.machines.remove({ id: twin?.id ?? "" });
    const [newest] = await client.trash.list();
    expect(newest?.machineName).toBe("Twin");
    expect((await client.trash.delete({ name: newest?.name ?? "" })).freedBytes).toBeGreaterThan(0);
    expect(await failureOf(client.trash.delete({ name: newest?.name ?? "" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "name",
    });
    expect((await client.trash.empty()).freedBytes).toBeGreaterThan(100_000);
    expect(await client.trash.list()).toEqual([]);
    expect(await failureOf(client.machines.undoRemove({ id: starter.id }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("runs a machine through its life", async () => {
    const { id } = await client.machines.createStarter({ name: "vm", memoryMiB: 128 });
    await client.machines.start({ id });
    await client.machines.sendText({ id, text: "hello\n" });
    expect(await client.machines.waitForOutput({ id, pattern: "hel(lo)", timeoutMs: 5000 })).toMatchObject({
      match: "hello",
      groups: ["lo"],
    });
    expect(await client.machines.screenshot({ id })).toMatchObject({ width: 1, height: 1 });
    expect(await client.machines.fork({ id, name: "twin", start: false })).toMatchObject([
      { name: "twin", state: "saved", origin: { kind: "fork" } },
    ]);
    await client.machines.pause({ id });
    await client.machines.resume({ id });
    await client.machines.reset({ id });
    await client.machines.stop({ id, how: "save" });
    expect((await client.machines.get({ id })).state).toBe("saved");
    expect(await client.machines.screenshot({ id })).toMatchObject({ width: 1, height: 1 });
    await client.machines.discardSavedState({ id });
    const log = await client.machines.log({ id });
    expect(log.map((entry) => entry.message)).toContain("The saved state was discarded");
  });

  it("takes, shows, changes, restores and deletes snapshots", async () => {
    const { id } = await client.machines.createStarter({});
    await client.machines.start({ id });
    const snapshot = await client.snapshots.take({ id, name: "one" });
    expect(snapshot).toMatchObject({ name: "one", withMemory: true, pauseMs: 1.5 });
    expect(await client.snapshots.thumbnail({ snapshotId: snapshot.id })).not.toBeNull();
    await client.snapshots.update({ snapshotId: snapshot.id, description: "notes" });
    expect(await client.snapshots.update({ snapshotId: snapshot.id, pinned: true })).toMatchObject({ pinned: true });
    expect(await client.snapshots.previewDelete({ snapshotId: snapshot.id })).toMatchObject({ copiedBytes: 0 });
    expect(await failureOf(client.snapshots.previewDelete({ snapshotId: "000000000000" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "snapshotId",
    });
    expect(await client.snapshots.prune({ id })).toEqual([]);
    expect(await client.snapshots.diff({ snapshotId: snapshot.id, toSnapshotId: snapshot.id })).toMatchObject({
      settings: [],
      disks: [{ change: "same" }],
    });
    expect(await client.snapshots.diff({ snapshotId: snapshot.id })).toMatchObject({ disks: [{ change: "changed" }] });
    const place = { snapshotId: snapshot.id, path: "/" };
    expect(await client.snapshots.listFolder(place)).toEqual({
      places: [],
      diskId: null,
      partition: null,
      entries: [],
    });
    expect(await failureOf(client.snapshots.handToGuest({ ...place, path: "/etc/passwd" }))).toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await failureOf(client.snapshots.readFile({ snapshotId: snapshot.id, path: "/etc/passwd" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "path",
    });
    expect(await client.snapshots.restore({ snapshotId: snapshot.id })).toEqual({ keptSnapshotId: null });
    const tree = await client.snapshots.tree({ id });
    expect(tree).toMatchObject({ snapshots: [{ id: snapshot.id, description: "notes" }], currentId: snapshot.id });
    const { undo } = await client.snapshots.delete({ snapshotId: snapshot.id });
    expect((await client.snapshots.tree({ id })).snapshots).toEqual([]);
    expect(await failureOf(client.snapshots.delete({ snapshotId: snapshot.id }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await client.trash.restore({ name: undo?.name ?? "" })).toMatchObject({ id });
    expect((await client.snapshots.tree({ id })).snapshots).toMatchObject([{ id: snapshot.id }]);
    expect(await client.snapshots.delete({ snapshotId: snapshot.id, permanently: true })).toEqual({ undo: null });
    expect(await failureOf(client.trash.restore({ name: undo?.name ?? "" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "name",
    });
  });

  it("tells subscribers what changes, in order and without gaps", async () => {
    const abort = new AbortController();
    const stream = await client.events.subscribe(undefined, { signal: abort.signal });
    const seen: AppEvent[] = [];
    const reading = (async () => {
      for await (const event of stream) seen.push(event);
    })().catch(() => undefined);
    const { id } = await client.machines.createStarter({});
    await client.machines.start({ id });
    await waitUntil("figures arrive", () => seen.some((event) => event.kind === "metrics"));
    await client.snapshots.take({ id });
    await client.machines.stop({ id, how: "power-off" });
    await client.machines.remove({ id, permanently: true });
    await waitUntil("the end is seen", () => seen.some((event) => event.kind === "machineRemoved"));
    abort.abort();
    await reading;
    expect(seen.map((event) => event.sequence)).toEqual(seen.map((_, index) => index));
    const states = seen.flatMap((event) => (event.kind === "machine" ? [event.machine.state] : []));
    expect(states.filter((state, index) => state !== states[index - 1])).toEqual([
      "powered-off",
      "starting",
      "running",
      "snapshotting",
      "running",
      "stopping",
      "powered-off",
    ]);
    expect(new Set(seen.map((event) => event.kind))).toContain("snapshots");
    expect(new Set(seen.map((event) => event.kind))).toContain("task");
    await waitUntil("nobody is asked for figures any more", () => app.context.events.subscriberCount === 0);
  });

  it("keeps machines in groups, whatever happens to the list or to their snapshots", async () => {
    const first = await client.machines.createStarter({ name: "first" });
    const second = await client.machines.createStarter({ name: "second" });
    await client.machines.moveToGroup({ ids: [first.id, second.id], group: "Work/Servers" });
    const groups = async () => (await client.machines.list()).map(({ group }) => group);
    expect(await groups()).toEqual(["Work/Servers", "Work/Servers"]);
    const snapshot = await client.snapshots.take({ id: first.id });
    await client.machines.renameGroup({ from: "Work", to: "Job" });
    await client.snapshots.restore({ snapshotId: snapshot.id });
    expect(await groups()).toEqual(["Job/Servers", "Job/Servers"]);
    await client.machines.renameGroup({ from: "Job", to: "" });
    expect(await groups()).toEqual(["Servers", "Servers"]);
    await client.machines.moveToGroup({ ids: [first.id], group: "" });
    expect(await groups()).toEqual(["", "Servers"]);
    const unknown = client.machines.moveToGroup({ ids: [first.id, "000000000000"], group: "x" });
    expect(await failureOf(unknown)).toMatchObject({ code: "NOT_FOUND", field: "id" });
    expect(await groups()).toEqual(["", "Servers"]);
  });

  it("keeps preferences and tells other windows of a change", async () => {
    const abort = new AbortController();
    const stream = await client.events.subscribe(undefined, { signal: abort.signal });
    await client.preferences.change({ changes: { theme: "dark", "list.order": ["a", "b"], gone: 1 } });
    await client.preferences.change({ changes: { gone: null } });
    expect(await client.preferences.get()).toEqual({ theme: "dark", "list.order": ["a", "b"] });
    const { value } = await stream.next();
    expect(value).toMatchObject({ kind: "preferences", changes: { theme: "dark" } });
    abort.abort();
    const huge = client.preferences.change({ changes: { huge: "x".repeat(1 << 20) } });
    expect(await failureOf(huge)).toMatchObject({ code: "INVALID_ARGUMENT", field: "changes" });
  });

  it("remembers the figures of machines that ran", async () => {
    const { id } = await client.machines.createStarter({});
    await client.machines.start({ id });
    const abort = new AbortController();
    await client.events.subscribe(undefined, { signal: abort.signal });
    await waitUntil("figures are remembered", async () => {
      const { samples } = await client.machines.metricsHistory({ id, spanS: 60 });
      return samples.length > 0;
    });
    abort.abort();
    const { stepS, samples } = await client.machines.metricsHistory({ id, spanS: 60 });
    expect(stepS).toBe(1);
    expect(samples[0]).toMatchObject({ cpuShare: 0.5, mips: 1, diskReadRate: 0 });
    expect((await client.machines.metricsHistory({ id, spanS: 86_400 })).stepS).toBe(60);
  });

  it("tells where the time of a running machine goes", async () => {
    const { id } = await client.machines.createStarter({});
    await client.machines.start({ id });
    const profile = await client.machines.profile({ id, seconds: 0.5 });
    expect(profile).toMatchObject({ ms: 500, instructions: 2e9, samples: [{ rip: "ffffffff81000000", user: false }] });
    const stopped = await client.machines.createStarter({});
    expect(await failureOf(client.machines.profile({ id: stopped.id }))).toMatchObject({ code: "INVALID_STATE" });
  });

  it("shows tasks", async () => {
    const { id } = await client.machines.createStarter({});
    await client.snapshots.take({ id });
    const [task] = await client.tasks.list();
    expect(task).toMatchObject({ machineId: id, state: "succeeded", progress: 1 });
    await client.tasks.cancel({ taskId: task?.id ?? "" });
    expect(await failureOf(client.tasks.cancel({ taskId: "none" }))).toMatchObject({
      code: "NOT_FOUND",
      field: "taskId",
    });
  });

  it("browses folders without showing contents", async () => {
    await writeFile(path.join(folder, "disk.img"), "secret");
    const listing = await client.files.browse({ folder });
    expect(listing.entries).toContainEqual({
      name: "disk.img",
      path: path.join(folder, "disk.img"),
      kind: "file",
      sizeBytes: 6,
    });
    expect(listing.entries[0]?.kind).toBe("folder");
    expect(JSON.stringify(listing)).not.toContain("secret");
  });

  it("ends the host only when asked how to stop what runs", async () => {
    const { id } = await client.machines.createStarter({});
    await client.machines.start({ id });
    const asked: string[] = [];
    app.onShutdownRequested = (mode) => void asked.push(mode);
    expect(await failureOf(client.host.shutdown({}))).toMatchObject({ code: "INVALID_STATE", field: "stopMachines" });
    expect(asked).toEqual([]);
    await client.host.shutdown({ stopMachines: "power-off" });
    await waitUntil("the shell is asked", () => asked.length === 1);
    expect(asked).toEqual(["power-off"]);
  });

  it("lists what can be downloaded and what was, and refuses what is not there", async () => {
    const debian = (await client.catalogue.list()).find(({ id }) => id === "debian");
    expect(debian?.releases).toContainEqual(
      expect.objectContaining({ id: "debian-stable-netinst", downloaded: null, unattended: "preseed" }),
    );
    expect(await client.catalogue.downloads()).toEqual([]);
    expect(await failureOf(client.catalogue.download({ releaseId: "none" }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await failureOf(client.catalogue.deleteDownload({ name: "none" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("searches what all machines printed", async () => {
    const { folder: of } = await client.machines.createStarter({ name: "Talker" });
    await mkdir(path.join(of, "logs"), { recursive: true });
    await writeFile(path.join(of, "logs", "ttyS0.log"), "booting\r\nkernel panic\r\n");
    expect(await client.machines.searchConsoles({ text: "PANIC" })).toMatchObject([
      { machineName: "Talker", port: 0, line: "kernel panic", atMs: null, snapshot: null },
    ]);
  });

  it("changes networks of machines in every state, and says who is in them", async () => {
    const { id, config } = await client.machines.createStarter({ name: "Networked" });
    const [adapter] = config.adapters;
    if (!adapter) throw new Error("a new machine has an adapter");
    const change = (adapters: (typeof config.adapters)[number][]) =>
      client.machines.configure({ id, config: { ...config, adapters } });
    const forward = (hostPort: number) => ({ ...FORWARD, hostPort });
    await change([{ ...adapter, network: "internal", networkName: "lab" }]);
    await client.machines.start({ id });
    await change([{ ...adapter, forwards: [forward(8080)] }]);
    // The fake engine can't have port 1: what can't be had is not recorded either.
    expect(await failureOf(change([{ ...adapter, forwards: [forward(1)] }]))).toMatchObject({ code: "PORT_TAKEN" });
    expect((await client.machines.get({ id })).config.adapters[0]?.forwards).toEqual([forward(8080)]);
    expect(await failureOf(change([{ ...adapter, mac: "52:54:00:99:99:99" }]))).toMatchObject({
      code: "INVALID_STATE",
      field: "adapters",
    });
    expect(await client.networks.status({ id })).toEqual([]);
    const { file } = await client.networks.capture({ id, adapterId: "nic0", on: true });
    expect(file).toMatch(/capture-nic0-.*\.pcapng$/);
    expect(await client.networks.capture({ id, adapterId: "nic0", on: false })).toEqual({ file: null });
    const networks = await client.networks.list();
    expect(networks.find(({ kind }) => kind === "nat")?.members).toContainEqual(
      expect.objectContaining({ machineName: "Networked", adapterId: "nic0", mac: adapter.mac }),
    );

    const other = await client.machines.createStarter({ name: "Other" });
    const inside = { network: "internal" as const, networkName: "lab", forwards: [forward(2)] };
    const internal = { ...adapter, id: "nic1", mac: "52:54:00:00:00:01", ...inside };
    const adapters = [{ ...adapter, forwards: [forward(1)] }, internal];
    await client.machines.configure({ id: other.id, config: { ...other.config, adapters } });
    await client.machines.start({ id: other.id });
    // Whoever can't have a port is told which machine has it; a port of an internal network is none of the host's.
    const ofOther = { code: "PORT_TAKEN", message: expect.stringMatching(/taken, Other has 1$/) };
    expect(await failureOf(change([{ ...adapter, forwards: [forward(1)] }]))).toMatchObject(ofOther);
    const pattern = "typed lines.*";
    const { match } = await client.machines.waitForOutput({ id: other.id, pattern, timeoutMs: 5000, fromOffset: 0 });
    expect(match).toContain("Networked has 8080");
    for (const each of [id, other.id]) await client.machines.stop({ id: each, how: "power-off" });
  });

  it("lose none of several changes that are made to one machine at the same time", async () => {
    const { id, config, revision } = await client.machines.createStarter({ name: "Popular" });
    const ports = [8081, 8082, 8083, 8084, 8085];
    const open = (hostPort: number) =>
      changeConfig(client, id, (now) => ({
        ...now,
        adapters: now.adapters.map((adapter) => ({
          ...adapter,
          forwards: [...adapter.forwards, { ...FORWARD, hostPort }],
        })),
      }));
    await Promise.all(ports.map(open));
    const { config: changed } = await client.machines.get({ id });
    expect(changed.adapters[0]?.forwards.map(({ hostPort }) => hostPort).sort()).toEqual(ports);
    expect(await failureOf(client.machines.configure({ id, config, revision }))).toMatchObject({
      ...{ code: "INVALID_STATE", field: "revision", consequence: "Nothing was changed." },
    });
    expect((await client.machines.get({ id })).config).toEqual(changed);
  });

  it("reports failures as data: code, cause, field and remedy", async () => {
    const missing = "000000000000";
    expect(await failureOf(client.machines.start({ id: missing }))).toMatchObject({ code: "NOT_FOUND", field: "id" });
    expect(await failureOf(client.machines.create({ name: "x", kernel: "/nowhere" }))).toMatchObject({
      code: "NOT_FOUND",
      file: "/nowhere",
      field: "boot.kernel",
      remedy: expect.any(String),
    });
    const { id, config } = await client.machines.createStarter({});
    expect(await failureOf(client.machines.createStarter({ name: "starter linux" }))).toMatchObject({
      code: "ALREADY_EXISTS",
      field: "name",
    });
    await client.machines.start({ id });
    expect(await failureOf(client.machines.configure({ id, config: { ...config, memoryMiB: 512 } }))).toMatchObject({
      code: "INVALID_STATE",
      field: "memoryMiB",
    });
    await client.machines.configure({ id, config: { ...config, description: "may change while it runs" } });
  });

  it("has been called with each of its commands", () => {
    expect([...called, ...STORAGE_COMMANDS].sort()).toEqual([...COMMANDS].sort());
  });
});
