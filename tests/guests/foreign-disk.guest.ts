// A disk with an installed system, as other products keep it: made by qemu-img, converted by us, booted by the product's VM process.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { mediaImages } from "../../main/services/disks/media-images.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { hasQemuTools, qemuCheck, qemuImg, temporaryFolder } from "../support/media/qemu-tools.ts";
import type { StarterVm } from "../support/vm/starter-vm.ts";
import { startPcVm } from "./support/pc-vm.ts";

const TIMEOUT_MS = 600_000;
const WAIT_MS = 300_000;
const SCRIPT = [
  "echo WRITTEN BY $(uname -s) | dd of=/dev/sda bs=1M seek=60 conv=fsync 2>/dev/null",
  "dd if=/dev/sda bs=1M skip=60 count=1 2>/dev/null | head -n 1; echo END; read line",
].join("\n");

describe.skipIf(!hasQemuTools)("A disk of another product", () => {
  const temporary = temporaryFolder("foreign-disk");
  const raw = temporary.file("installed.raw");
  let vm: StarterVm | undefined;
  beforeAll(async () => {
    writeFileSync(raw, (await grubDisk(SCRIPT, { awaited: ["/dev/sda1"] })).content);
  }, TIMEOUT_MS);
  afterEach(() => vm?.kill());
  afterAll(() => temporary.remove());

  it.each([
    ["VirtualBox (VDI)", "vdi", ""],
    ["VMware (VMDK of an OVA)", "vmdk", "subformat=streamOptimized"],
    ["Hyper-V (VHDX)", "vhdx", ""],
    ["Virtual PC (VHD)", "vpc", "subformat=dynamic,force_size=on"],
  ])(
    "boots, as %s keeps it, and is written to; the original stays as it is",
    async (_product, format, options) => {
      const folder = join(temporary.path, format);
      mkdirSync(folder);
      const source = join(temporary.path, `installed.${format}`);
      await qemuImg("convert", "-f", "raw", "-O", format, ...(options ? ["-o", options] : []), raw, source);
      const file = join(temporary.path, `converted-${format}.qcow2`);
      await mediaImages(temporary.path).convert(source, file, {
        signal: new AbortController().signal,
        progress: () => undefined,
      });
      vm = await startPcVm({
        folder,
        config: { memoryMiB: 256 },
        disks: [{ id: "disk0", file, format: "qcow2", readOnly: false, bus: "sata" }],
      });
      await vm.expect(/GRUB STARTS LINUX|Linux version/, WAIT_MS);
      await vm.expect(/WRITTEN BY Linux\r?\n[^]*END/, WAIT_MS);
      await vm.powerOff();
      expect(await qemuCheck(file)).toMatchObject({ corruptions: 0 });
      expect(await qemuImg("compare", "-F", "raw", "-f", format, source, raw)).toContain("Images are identical");
    },
    TIMEOUT_MS,
  );
});
