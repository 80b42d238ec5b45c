// The whole path once, with the real engine and the real Starter Linux: boot, work, snapshot, break, restore, save, crash, shut down.
// Needs what set-up builds (`npm start` or `npm test` run it).
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RpcClient } from "../../main/rpc/client.ts";
import { App } from "../../main/services/app.ts";
import { inGuest as inShell, waitForPrompt } from "../support/guest-shell.ts";
import { temporaryFolder } from "../support/test-app.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type Connected, TRANSPORTS } from "./transports.ts";

const BOOT_MS = 240_000;
const [, overWebSocket] = TRANSPORTS[0] ?? [];

describe("Starter Linux on the embedded engine", { timeout: BOOT_MS }, () => {
  let folder: string;
  let app: App;
  let connected: Connected;
  let client: RpcClient;
  let id: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    app = await App.open({ home: path.join(folder, "home") });
    if (!overWebSocket) throw new Error("there is a transport");
    connected = await overWebSocket(app);
    client = connected.client;
    id = (await client.machines.createStarter({ memoryMiB: 128 })).id;
  });

  afterAll(async () => {
    await connected.close();
    await app.close("power-off");
    await rm(folder, { recursive: true });
  });

  const inGuest = (command: string) => inShell(client, id, command);

  it("boots to its shell and runs a command", async () => {
    await client.machines.start({ id });
    await waitForPrompt(client, id);
    expect(await inGuest("uname -sm")).toBe("Linux x86_64");
  });

  it("goes back to a live snapshot: memory and disk", async () => {
    await inGuest("echo before >/root/state; sync; MEMORY=kept; echo done");
    await client.machines.sendText({ id, text: "MEMORY=kept\n" });
    const snapshot = await client.snapshots.take({ id, name: "before" });
    expect(snapshot).toMatchObject({ withMemory: true, hasThumbnail: true });
    await client.machines.sendText({ id, text: "MEMORY=lost\n" });
    expect(await inGuest("echo after >/root/state; sync; cat /root/state")).toBe("after");
    const { disks } = await client.snapshots.diff({ snapshotId: snapshot.id });
    expect(disks[0]?.partitions[0]?.changes).toContainEqual(
      expect.objectContaining({ path: "/root/state", change: "changed", sizeBefore: 7, sizeAfter: 6 }),
    );
    expect(await inGuest("cat /root/state")).toBe("after");
    await client.snapshots.restore({ snapshotId: snapshot.id });
    expect(await inGuest("cat /root/state")).toBe("before");
    expect(await inGuest("echo $MEMORY")).toBe("kept");
  });

  it("shows its screen", async () => {
    const { pngBase64, width, height } = await client.machines.screenshot({ id });
    expect(pngBase64).toMatch(/^iVBOR/);
    expect(width * height).toBeGreaterThan(100_000);
  });

  it("continues from a saved state", async () => {
    await client.machines.stop({ id, how: "save" });
    expect((await client.machines.get({ id })).state).toBe("saved");
    await client.machines.start({ id });
    expect(await inGuest("echo $MEMORY")).toBe("kept");
  });

  it("is aborted with a cause when its process is killed, and boots again", async () => {
    expect(await inGuest("echo synced >/root/state; sync; cat /root/state")).toBe("synced");
    process.kill(app.context.registry.get(id).vm?.client.pid ?? 0, "SIGKILL");
    await waitUntil("it is aborted", () => app.context.registry.get(id).state === "aborted");
    expect((await client.machines.get({ id })).lastFailure).toMatchObject({
      code: "ENGINE_FAILED",
      remedy: expect.any(String),
    });
    await client.machines.start({ id });
    await waitForPrompt(client, id);
    expect(await inGuest("cat /root/state")).toBe("synced");
  });

  it("answers the power button by shutting down", async () => {
    await client.machines.stop({ id, how: "acpi" });
    await waitUntil("it is off", () => app.context.registry.get(id).state === "powered-off", 60_000);
  });

  it("keeps its disk when snapshots are deleted", async () => {
    const { snapshots } = await client.snapshots.tree({ id });
    for (const snapshot of snapshots) {
      await client.snapshots.delete({ snapshotId: snapshot.id, permanently: true });
    }
    await waitUntil("the layers are merged", () => app.context.registry.get(id).cleanup === null, 60_000);
    await client.machines.start({ id });
    await waitForPrompt(client, id);
    expect(await inGuest("cat /root/state")).toBe("synced");
    expect(app.context.registry.get(id).record.config.disks).toHaveLength(1);
  });

  it("goes back without an independent disk, whose file system stays as it is", async () => {
    await client.machines.stop({ id, how: "power-off" });
    const { config } = await client.machines.addDisk({ id, disk: { sizeMiB: 8 } });
    const disks = config.disks.map((disk) => (disk.id === "disk1" ? { ...disk, independent: true } : disk));
    await client.machines.configure({ id, config: { ...config, disks } });
    await client.machines.start({ id });
    await waitForPrompt(client, id);
    await inGuest(
      "mke2fs /dev/vdb >/dev/null; mkdir /root/scratch; mount /dev/vdb /root/scratch; echo one >/root/scratch/file; sync",
    );
    const snapshot = await client.snapshots.take({ id });
    await inGuest("echo two >/root/scratch/file; echo lost >/root/state; sync");
    await client.snapshots.restore({ snapshotId: snapshot.id, memory: "never", start: true });
    await waitForPrompt(client, id);
    expect(await inGuest("mount /dev/vdb /root/scratch; cat /root/state /root/scratch/file | tr '\\n' ' '")).toBe(
      "synced two ",
    );
  });
});
