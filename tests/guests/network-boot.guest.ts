// iPXE (Debian's package) on the virtual network: it gets an address and the name of a script by DHCP, and the script, a kernel and
// an initial RAM disk from the NAT.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ADAPTER_MODELS, defaultAdapter } from "../../native-core/config/network-settings.ts";
import { debianKernel, initramfs } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { packageFile } from "../support/pc-guest.ts";
import type { StarterVm } from "../support/vm/starter-vm.ts";
import { startPcVm } from "./support/pc-vm.ts";

const TIMEOUT_MS = 600_000;
const WAIT_MS = 300_000;

describe("A machine without disks", () => {
  const temporary = temporaryFolder("network-boot");
  let vm: StarterVm | undefined;
  afterAll(async () => {
    await vm?.kill();
    temporary.remove();
  });

  it.each(ADAPTER_MODELS)(
    "boots Linux from the network by iPXE through a %s adapter",
    async (model) => {
      const bootFolder = join(temporary.path, `${model}-tftp`);
      const folder = join(temporary.path, model);
      for (const each of [bootFolder, folder]) mkdirSync(each);
      const disc = join(bootFolder, "ipxe.iso");
      writeFileSync(disc, await packageFile("ipxe", "usr/lib/ipxe/ipxe.iso"));
      writeFileSync(join(bootFolder, "vmlinuz"), (await debianKernel("cloud-amd64")).bytes);
      writeFileSync(
        join(bootFolder, "initrd"),
        (await initramfs("echo FROM THE NETWORK; cat /proc/cmdline; sh")).bytes,
      );
      const script = ["#!ipxe", "kernel vmlinuz console=ttyS0 initrd=initrd booted=ipxe", "initrd initrd", "boot", ""];
      writeFileSync(join(bootFolder, "boot.ipxe"), script.join("\n"));
      const adapter = { ...defaultAdapter("nic0", "52:54:00:12:34:56"), model, bootFolder, bootFile: "boot.ipxe" };
      vm = await startPcVm({ folder, config: { memoryMiB: 256, adapters: [adapter] }, disc });
      await vm.expect(/Linux version 6\.1/, WAIT_MS);
      const { match } = await vm.expect(/FROM THE NETWORK\r\n[^]*booted=ipxe/, WAIT_MS);
      expect(match).toContain("initrd=initrd");
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "boots a program from the network by UEFI itself",
    async () => {
      const bootFolder = join(temporary.path, "uefi-tftp");
      const folder = join(temporary.path, "uefi");
      for (const each of [bootFolder, folder]) mkdirSync(each);
      writeFileSync(join(bootFolder, "boot.efi"), await packageFile("memtest86+", "boot/memtest86+x64.efi"));
      const adapter = { ...defaultAdapter("nic0", "52:54:00:12:34:56"), bootFolder, bootFile: "boot.efi" };
      vm = await startPcVm({ folder, config: { memoryMiB: 256, adapters: [adapter] }, uefi: true });
      await vm.expect(/Start PXE over IPv4[^]*NBP filename is boot\.efi/, WAIT_MS);
      await vm.expect(/NBP file downloaded successfully/, WAIT_MS);
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );
});
