// The snapshot law: run N, save, run M equals restore, run M. In instruction time, where a run depends on nothing but its state, the
// two machines must agree in every register, every device and every byte of memory.
import { afterAll, describe, expect, it } from "vitest";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import { PageMap } from "../../native-core/host/state/page-map.ts";
import { debianKernel, initramfs } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { buildComputer, type Computer, digest, restore, run, save } from "../support/snapshot-law.ts";

const folder = temporaryFolder("snapshot-law");
afterAll(() => folder.remove());

const MEMORY_MIB = 128;

async function build(): Promise<Computer> {
  const memoryBytes = MEMORY_MIB << 20;
  const firmware = new LinuxBoot({
    kernel: await debianKernel("cloud-amd64"),
    initrd: await initramfs("while true; do date; ls -R /sys/devices | md5sum; done"),
    commandLine: "console=ttyS0 panic=-1",
    memoryBytes,
  });
  return buildComputer({ memoryBytes, firmware });
}

describe("the snapshot law", () => {
  it("holds at several points of a Linux boot, for whole and incremental states", async () => {
    const original = await build();
    original.machine.powerOn();
    let base = PageMap.empty(original.memory.count);
    for (const before of [60_000_000n, 300_000_000n]) {
      run(original.machine, before);
      const saved = save(original, folder, base);
      base = saved.map;
      run(original.machine, 30_000_000n);
      const copy = await restore(await build(), saved.folder);
      run(copy.machine, 30_000_000n);
      expect(digest(copy)).toEqual(digest(original));
      expect(original.printed().endsWith(copy.printed())).toBe(true);
      copy.machine.dispose();
    }
    expect(original.printed()).toContain("Linux version");
  }, 300_000);
});
