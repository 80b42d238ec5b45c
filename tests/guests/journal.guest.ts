// What a running Linux has acknowledged but so far only in its file system's journal: live snapshots must show it, and show what a mounting
// system would. The judge is e2fsck, which replays the journal of a copy.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RpcClient } from "../../main/rpc/client.ts";
import { App } from "../../main/services/app.ts";
import { momentOf, withImage } from "../../main/services/snapshots/diff.ts";
import type { BlockSource } from "../../native-core/media/file-systems/file-system.ts";
import { fileSystemsOf } from "../../native-core/media/file-systems/open.ts";
import { type Connected, TRANSPORTS } from "../contract/transports.ts";
import { inGuest as inShell, waitForPrompt } from "../support/guest-shell.ts";
import { temporaryFolder } from "../support/test-app.ts";

const run = promisify(execFile);

const E2FSCK = "/usr/sbin/e2fsck";
const ROUNDS = 20;
const TIMEOUT_MS = 600_000;
const [, overWebSocket] = TRANSPORTS[0] ?? [];

/** All that there is, with everything that tells a change. */
async function everythingOn(source: BlockSource): Promise<string[]> {
  const nodes: string[] = [];
  for (const { fileSystem } of await fileSystemsOf(source)) {
    for await (const { path: name, kind, stamp } of fileSystem.list()) nodes.push(`${name} ${kind} ${stamp}`);
  }
  return nodes.sort();
}

describe("A file system that a guest writes to without a pause", { timeout: TIMEOUT_MS }, () => {
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
    await client.machines.start({ id });
    await waitForPrompt(client, id);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await connected.close();
    await app.close("power-off");
    await rm(folder, { recursive: true });
  });

  const inGuest = (command: string) => inShell(client, id, command);

  it.skipIf(!existsSync(E2FSCK))("is read from live snapshots as a system that mounts it sees it", async () => {
    // Neighbours in the inode table: a block that the running transaction has is not written back by `sync`.
    await inGuest("cd /root; touch busy1 state busy2; echo done");
    await client.machines.sendText({ id, text: "while :; do echo >>busy1; echo >>busy2; done & \n" });
    const seen: string[] = [];
    const expected: string[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const text = `round ${round} ${"x".repeat(round)}`;
      expect(await inGuest(`echo ${text} >state; sync; cat state`)).toBe(text);
      const { id: snapshotId } = await client.snapshots.take({ id });
      const file = await client.snapshots.readFile({ snapshotId, path: "/root/state" });
      seen.push(Buffer.from(file.base64, "base64").toString());
      expected.push(`${text}\n`);
    }
    const machine = app.context.registry.get(id);
    const sizes: (number | null | undefined)[][] = [];
    for (const [index, from] of machine.record.snapshots.slice(0, -1).entries()) {
      const toSnapshotId = machine.record.snapshots[index + 1]?.id ?? null;
      const { disks } = await client.snapshots.diff({ snapshotId: from.id, toSnapshotId });
      const state = disks[0]?.partitions[0]?.changes.find((change) => change.path === "/root/state");
      sizes.push([state?.sizeBefore, state?.sizeAfter]);
    }
    expect({ seen, sizes }).toEqual({
      seen: expected,
      sizes: expected.slice(1).map((text, index) => [expected[index]?.length, text.length]),
    });

    const last = machine.record.snapshots.at(-1);
    const disk = last && momentOf(last).disks[0];
    if (!disk) throw new Error("there is a snapshot with a disk");
    const copy = path.join(folder, "copy.img");
    await withImage(app.context, machine, disk, async (image) => {
      const raw = await open(copy, "wx+");
      await raw.truncate(image.sizeBytes);
      for (let offset = 0; offset < image.sizeBytes; ) {
        const { kind, length } = await image.extentAt(offset, Math.min(1 << 20, image.sizeBytes - offset));
        const bytes = new Uint8Array(length);
        if (kind === "data") {
          await image.read(offset, bytes);
          await raw.write(bytes, 0, length, offset);
        }
        offset += length;
      }
      const ours = await everythingOn(image);
      await run(E2FSCK, ["-E", "journal_only", "-y", copy]);
      const target = async (offset: number, bytes: Uint8Array) => {
        await raw.read(bytes, 0, bytes.length, offset);
      };
      expect(ours).toEqual(await everythingOn({ sizeBytes: image.sizeBytes, read: target }));
      await raw.close();
    });
  });
});
