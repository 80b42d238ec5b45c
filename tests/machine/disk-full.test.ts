// A full disk while a snapshot is written: a clear error, nothing half-made, and the guest goes on. The full disk is a small file
// system of the test's own, in a mount namespace that ends with the VM process (Linux, unprivileged namespaces).
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { StarterMachine, StarterVm } from "../support/vm/starter-vm.ts";
import { launchBy } from "../support/vm/wrapped-launcher.ts";

const folder = temporaryFolder("disk-full");
afterAll(() => folder.remove());

const canMount = (() => {
  try {
    execFileSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** With a file system of 3 MiB on `mountPoint`. */
const launchWithSmallDisk = (mountPoint: string) =>
  launchBy("unshare", ["-rm", "sh", "-c", 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"', mountPoint]);

describe.skipIf(!canMount)("a full disk", () => {
  it("fails the snapshot by name, leaves nothing behind, and the guest and its next snapshot are fine", async () => {
    const machine = await StarterMachine.create(folder.path);
    const small = join(machine.folder, "chunks");
    const vm = await (await StarterVm.start(machine.request(), launchWithSmallDisk(small))).booted();
    const snapshot = join(machine.folder, "snapshots", "one");
    const first = vm.client.request("takeSnapshot", {
      folder: snapshot,
      parentFolder: null,
      overlays: [{ diskId: "disk0", file: join(machine.folder, "disks", "one.qcow2") }],
    });
    await expect(first).rejects.toMatchObject({ code: "NO_SPACE", details: { file: snapshot } });
    expect(existsSync(snapshot)).toBe(false);
    expect(existsSync(`${snapshot}.tmp`)).toBe(false);
    // What the guest writes now goes to the new layer, which stays in use; the file system of the chunks is empty again.
    expect(await vm.command("echo alive | tee /root/file; sync")).toBe("alive");
    const second = vm.client.request("takeSnapshot", {
      folder: snapshot,
      parentFolder: null,
      overlays: [{ diskId: "disk0", file: join(machine.folder, "disks", "two.qcow2") }],
    });
    await expect(second).rejects.toMatchObject({ code: "NO_SPACE" });
    await expect(vm.client.request("saveState", { folder: snapshot, parentFolder: null })).rejects.toMatchObject({
      code: "NO_SPACE",
    });
    expect(await vm.command("cat /root/file")).toBe("alive");
    expect(readdirSync(join(machine.folder, "snapshots"))).toEqual([]);
    await vm.powerOff();
  }, 240_000);
});
