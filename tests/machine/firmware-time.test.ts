// How long firmware takes until the boot sector runs. Milliseconds say nothing on a busy machine; instructions do: the interpreter alone does
// 200 million in a second, so the bound is a third of one.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import type { MachineParts } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import { idleAdapter } from "../support/idle-adapter.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { PcGuest, packageFile } from "../support/pc-guest.ts";

const MOST_INSTRUCTIONS = 60_000_000n;
// mov dx, 3f8h; mov al, '!'; out dx, al; cli; hlt
const BOOT_SECTOR = [0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4];

function bootDisk() {
  const backend = memoryDisk(1 << 20);
  backend.content.set(BOOT_SECTOR);
  backend.content.set([0x55, 0xaa], 510);
  return { id: "disk0", backend };
}

it.each([
  ["virtio", (): Partial<MachineParts> => ({ disks: [bootDisk()] })],
  ["SCSI", (): Partial<MachineParts> => ({ scsi: { disks: [bootDisk()], drives: [] } })],
  ["NVMe", (): Partial<MachineParts> => ({ nvme: [bootDisk()] })],
  ["IDE", (): Partial<MachineParts> => ({ ide: [{ id: "disk0", position: 0, disk: bootDisk().backend }] })],
] as const)(
  "SeaBIOS is at the boot sector of a %s disk within a fraction of a second's work",
  async (_name, parts) => {
    const guest = await PcGuest.start({ createProcessor: coreProcessor(await interpreterModule()), parts: parts() });
    try {
      await guest.waitForConsole("!");
      expect(guest.machine.vcpu.state.get(STATE.instructionCount)).toBeLessThan(MOST_INSTRUCTIONS);
    } finally {
      guest.stop();
    }
  },
  120_000,
);

it("SeaBIOS is there as soon where it sets up what boots from the network", async () => {
  const rom = { file: "efi-virtio.rom", bytes: await packageFile("ipxe-qemu", "usr/lib/ipxe/qemu/efi-virtio.rom") };
  const guest = await PcGuest.start({
    createProcessor: coreProcessor(await interpreterModule()),
    firmware: { adapterRoms: new Map([["virtio", rom]]) },
    parts: { disks: [bootDisk()], adapters: [idleAdapter(0, "virtio")] },
  });
  try {
    await guest.waitForConsole("!");
    expect(guest.screen).toContain("iPXE");
    expect(guest.machine.vcpu.state.get(STATE.instructionCount)).toBeLessThan(MOST_INSTRUCTIONS);
  } finally {
    guest.stop();
  }
}, 120_000);
