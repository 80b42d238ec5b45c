// Snapshots of a guest that keeps its disk busy: memory and disk are of the same instant, so a restored guest finds on the disk what
// its memory says is there, and goes on.
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { hasQemuTools, qemuCheck, temporaryFolder } from "../support/media/qemu-tools.ts";
import { StarterMachine, StarterVm } from "../support/vm/starter-vm.ts";

const folder = temporaryFolder("under-load");
afterAll(() => folder.remove());

/** Writes, forgets what it cached, reads back and compares, without end; every round says how it went. */
const LOAD = `i=0; while true; do i=$((i+1)); dd if=/dev/urandom of=/root/f bs=64k count=24 2>/dev/null; \
md5sum /root/f > /root/f.md5; sync; echo 3 > /proc/sys/vm/drop_caches; \
if md5sum -c -s /root/f.md5; then echo "round $i good"; else echo "round $i BAD"; fi; done`;

it("holds memory and disk of the same instant", async () => {
  const machine = await StarterMachine.create(folder.path);
  const vm = await (await StarterVm.start(machine.request())).booted();
  await vm.client.request("sendText", { port: 0, text: `${LOAD}\n` });
  await vm.expect(/round 1 good/);
  const taken: { memory: string; disk: string }[] = [];
  for (let n = 0; n < 3; n++) {
    const memory = join(machine.folder, "snapshots", `s${n}`);
    const disk = join(machine.folder, "disks", `after-${n}.qcow2`);
    // The request runs beside the load; nothing chooses a quiet moment for it.
    const overlays = [{ diskId: "disk0", file: disk }];
    await vm.client.request("takeSnapshot", { folder: memory, parentFolder: null, overlays });
    taken.push({ memory, disk: `restored-${n}` });
    await vm.expect(/round \d+ good/);
  }
  await vm.powerOff();

  for (const [n, { memory, disk }] of taken.entries()) {
    // The layer that the snapshot froze, with an empty one of its own on top.
    const below = n === 0 ? machine.disk : join(machine.folder, "disks", `after-${n - 1}.qcow2`);
    const file = await machine.layerOn(below, `${disk}.qcow2`);
    const disks = [{ id: "disk0", file, format: "qcow2" as const, readOnly: false }];
    const restored = await StarterVm.start(machine.request({ restoreFrom: memory, disks }));
    for (let round = 0; round < 3; round++) {
      const { match } = await restored.expect(/round \d+ (good|BAD)/);
      expect(match).toContain("good");
    }
    await restored.powerOff();
    const result = hasQemuTools ? await qemuCheck(file) : { corruptions: 0, leaks: 0, errors: 0 };
    expect(result).toEqual({ corruptions: 0, leaks: 0, errors: 0 });
  }
}, 300_000);
