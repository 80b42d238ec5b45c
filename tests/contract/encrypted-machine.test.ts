// An encrypted machine with the real engine and the real Starter Linux: what its guest writes comes back from snapshots, a saved state and a
// locked machine, is nowhere in its files, and QEMU reads its disk with the disk's secret. Needs what set-up builds.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RpcClient } from "../../main/rpc/client.ts";
import { App } from "../../main/services/app.ts";
import { inGuest as inShell, waitForPrompt } from "../support/guest-shell.ts";
import { hasQemuTools } from "../support/media/qemu-tools.ts";
import { temporaryFolder } from "../support/test-app.ts";
import { type Connected, failureOf, TRANSPORTS } from "./transports.ts";

const [, overWebSocket] = TRANSPORTS[0] ?? [];
const BOOT_MS = 240_000;
const PASSPHRASE = "correct horse";
/** Never typed or printed as a whole: the guest puts it together. */
const [HALF, OTHER] = ["nobody-may", "read-this"];
const SECRET = `${HALF}-${OTHER}`;

describe("Starter Linux in an encrypted machine", { timeout: BOOT_MS }, () => {
  let folder: string;
  let app: App;
  let connected: Connected;
  let client: RpcClient;
  let id: string;
  const inGuest = (command: string) => inShell(client, id, command);

  beforeAll(async () => {
    folder = await temporaryFolder();
    app = await App.open({ home: path.join(folder, "home") });
    if (!overWebSocket) throw new Error("there is a transport");
    connected = await overWebSocket(app);
    client = connected.client;
    id = (await client.machines.createStarter({ memoryMiB: 128 })).id;
    await client.machines.encrypt({ id, passphrase: PASSPHRASE });
    await client.machines.start({ id });
    await waitForPrompt(client, id);
  }, BOOT_MS);

  afterAll(async () => {
    await connected.close();
    await app.close("power-off");
    await rm(folder, { recursive: true });
  });

  it("goes back to a snapshot with the disk and the memory of that moment", async () => {
    const write = `for n in $(seq 200); do echo ${HALF}-${OTHER}; done >/root/text; sync; md5sum </root/text`;
    const sum = await inGuest(write);
    await client.machines.sendText({ id, text: "MEMORY=kept\n" });
    const { id: snapshotId } = await client.snapshots.take({ id, name: "before" });
    await client.machines.sendText({ id, text: "MEMORY=lost\n" });
    expect(await inGuest("rm /root/text; sync; test -e /root/text || echo gone")).toBe("gone");
    await client.snapshots.restore({ snapshotId });
    expect(await inGuest("echo 3 >/proc/sys/vm/drop_caches; md5sum </root/text")).toBe(sum);
    expect(await inGuest("echo $MEMORY")).toBe("kept");
  });

  it("needs its passphrase again when it was saved and locked", async () => {
    await client.machines.stop({ id, how: "save" });
    await client.machines.lock({ id });
    expect(await failureOf(client.machines.start({ id }))).toMatchObject({ code: "PERMISSION_DENIED" });
    const wrong = client.machines.unlock({ id, passphrase: "wrong horse" });
    expect(await failureOf(wrong)).toMatchObject({ code: "PERMISSION_DENIED", field: "passphrase" });
    await client.machines.unlock({ id, passphrase: PASSPHRASE });
    await client.machines.start({ id });
    expect(await inGuest("echo $MEMORY; sync")).toBe("kept");
    await client.machines.stop({ id, how: "power-off" });
  });

  it("has nothing of what the guest wrote in its files", () => {
    const files = readdirSync(path.join(folder, "home"), { recursive: true, encoding: "utf8" })
      .map((name) => path.join(folder, "home", name))
      .filter((file) => statSync(file).isFile());
    expect(files.some((file) => file.endsWith(".qcow2"))).toBe(true);
    expect(files.filter((file) => readFileSync(file).includes(SECRET))).toEqual([]);
  });

  it.skipIf(!hasQemuTools)("has a disk that QEMU reads with its secret, and only with that", async () => {
    const { secret } = await client.machines.diskSecret({ id, passphrase: PASSPHRASE });
    const { config } = await client.machines.get({ id });
    const top = path.join(folder, "home", "machines", id, config.disks[0]?.file ?? "");
    const convert = (data: string) => {
      const raw = path.join(folder, "disk.raw");
      const layers = [top, ...backingFilesOf(top)];
      const image = layers.map((_, depth) => `${"backing.".repeat(depth)}encrypt.key-secret=key`).join(",");
      const options = `driver=qcow2,file.filename=${top},${image}`;
      const key = ["--object", `secret,id=key,data=${data}`];
      execFileSync("qemu-img", ["convert", ...key, "--image-opts", options, "-O", "raw", raw], { stdio: "pipe" });
      return readFileSync(raw);
    };
    expect(convert(secret).includes(`${SECRET}\n${SECRET}\n`)).toBe(true);
    expect(() => convert("another")).toThrow(/Invalid password/);
  });
});

function backingFilesOf(image: string): string[] {
  const chain = execFileSync("qemu-img", ["info", "--backing-chain", "--output=json", image]).toString();
  return (JSON.parse(chain) as { filename: string }[]).slice(1).map(({ filename }) => filename);
}
