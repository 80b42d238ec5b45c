// Machines without disks that boot from the network: by iPXE in the option ROMs of their adapters, by iPXE's disc, and by UEFI. They get
// an address and the name of a file by DHCP, and the file and what it asks for from the NAT.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { MachineConfig } from "../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS, defaultAdapter } from "../../native-core/config/network-settings.ts";
import { debianKernel, initramfs } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { packageFile } from "../support/pc-guest.ts";
import type { StarterVm } from "../support/vm/starter-vm.ts";
import { type PcVmOptions, startPcVm } from "./support/pc-vm.ts";

const TIMEOUT_MS = 600_000;
const WAIT_MS = 300_000;
const ARGUMENTS = "console=ttyS0 initrd=initrd booted=network";
const IPXE_SCRIPT = `#!ipxe\nkernel vmlinuz ${ARGUMENTS}\ninitrd initrd\nboot\n`;

describe("A machine without disks", () => {
  const temporary = temporaryFolder("network-boot");
  let vm: StarterVm | undefined;
  let count = 0;
  afterAll(async () => {
    await vm?.kill();
    temporary.remove();
  });

  /** Starts a machine that may read `files`, the first of which DHCP tells it to boot. */
  async function start(
    files: Record<string, Uint8Array | string>,
    {
      model = "virtio",
      config = {},
      ...options
    }: Omit<PcVmOptions, "folder"> & { model?: (typeof ADAPTER_MODELS)[number] } = {},
  ): Promise<StarterVm> {
    const folder = join(temporary.path, `machine-${++count}`);
    const bootFolder = join(temporary.path, `files-${count}`);
    for (const each of [folder, bootFolder]) mkdirSync(each);
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(bootFolder, name, ".."), { recursive: true });
      writeFileSync(join(bootFolder, name), content);
    }
    const bootFile = Object.keys(files)[0] ?? "";
    const adapter = { ...defaultAdapter("nic0", "52:54:00:12:34:56"), model, bootFolder, bootFile };
    vm = await startPcVm({ folder, config: { memoryMiB: 256, adapters: [adapter], ...config }, ...options });
    return vm;
  }

  const linux = async () => ({
    vmlinuz: (await debianKernel("cloud-amd64")).bytes,
    initrd: (await initramfs("echo FROM THE NETWORK; cat /proc/cmdline; sh")).bytes,
  });

  async function expectLinux(machine: StarterVm): Promise<void> {
    await machine.expect(/Linux version 6\.1/, WAIT_MS);
    const { match } = await machine.expect(/FROM THE NETWORK\r\n[^]*booted=network/, WAIT_MS);
    expect(match).toContain("initrd=initrd");
    await machine.powerOff();
  }

  it.each(
    ADAPTER_MODELS.flatMap((model) => [
      [model, "i440fx"] as const,
      ...(model === "virtio" ? [[model, "q35"] as const] : []),
    ]),
  )(
    "boots Linux through the option ROM of a %s adapter on the %s board, where the network is in its order",
    async (model, chipset: MachineConfig["chipset"]) => {
      const files = { "boot.ipxe": IPXE_SCRIPT, ...(await linux()) };
      await expectLinux(await start(files, { model, config: { chipset }, bootOrder: ["network"] }));
    },
    TIMEOUT_MS,
  );

  it(
    "boots Linux by PXELINUX",
    async () => {
      const files = {
        "pxelinux.0": await packageFile("pxelinux", "usr/lib/PXELINUX/pxelinux.0"),
        "ldlinux.c32": await packageFile("syslinux-common", "usr/lib/syslinux/modules/bios/ldlinux.c32"),
        "pxelinux.cfg/default": `DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nAPPEND ${ARGUMENTS}\n`,
        ...(await linux()),
      };
      await expectLinux(await start(files, { bootOrder: ["disk", "network"] }));
    },
    TIMEOUT_MS,
  );

  it(
    "boots Linux by iPXE's disc, whatever its order",
    async () => {
      const disc = join(temporary.path, "ipxe.iso");
      writeFileSync(disc, await packageFile("ipxe", "usr/lib/ipxe/ipxe.iso"));
      await expectLinux(await start({ "boot.ipxe": IPXE_SCRIPT, ...(await linux()) }, { disc }));
    },
    TIMEOUT_MS,
  );

  it.each([
    ["virtio", "i440fx", undefined],
    ["virtio", "q35", ["network"]],
    ["e1000", "i440fx", ["network"]],
    ["rtl8139", "q35", ["network"]],
  ] as const)(
    "boots a program by UEFI through a %s adapter on the %s board, with the order %j",
    async (model, chipset, order) => {
      const program = await packageFile("memtest86+", "boot/memtest86+x64.efi");
      const machine = await start(
        { "boot.efi": program },
        { model, config: { chipset }, uefi: true, ...(order && { bootOrder: [...order] }) },
      );
      // UEFI's own driver and loader, or those of the option ROM.
      await machine.expect(model === "virtio" ? /NBP filename is boot\.efi/ : /Filename: boot\.efi/, WAIT_MS);
      await machine.expect(/NBP file downloaded successfully|boot\.efi\.\.\. ok/, WAIT_MS);
      await machine.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "goes on to its disk when the network, first in its order, does not answer",
    async () => {
      const disk = join(temporary.path, "disk.img");
      writeFileSync(disk, bootSector("ON DISK\r\n"));
      const machine = await start(
        {},
        {
          bootOrder: ["network", "disk"],
          disks: [{ id: "disk0", file: disk, format: "raw", readOnly: true }],
          config: { adapters: [{ ...defaultAdapter("nic0", "52:54:00:12:34:56"), network: "none" }] },
        },
      );
      await machine.expect(/ON DISK/, WAIT_MS);
      await machine.powerOff();
    },
    TIMEOUT_MS,
  );
});

/** A disk whose boot sector prints `text` on the first serial port and halts. */
function bootSector(text: string): Uint8Array {
  const disk = new Uint8Array(1 << 20);
  // mov dx, 3f8h; { mov al, byte; out dx, al } ...; cli; hlt
  const print = Array.from(Buffer.from(text, "latin1"), (byte) => [0xb0, byte, 0xee]).flat();
  disk.set([0xba, 0xf8, 0x03, ...print, 0xfa, 0xf4]);
  disk.set([0x55, 0xaa], 510);
  return disk;
}
