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

const READS = 40;
const COUNTED = 0x10_0000;
const MOST_INSTRUCTIONS_PER_READ = 20_000n;
const LOOP = [
  ...[0xb8, 0x00, 0x20, 0x8e, 0xc0], // mov ax, 2000h; mov es, ax
  ...[0x66, 0xb9, 0x00, 0x00, 0x10, 0x00, 0x66, 0x49, 0x75, 0xfc], // mov ecx, COUNTED; dec ecx; jnz -4
  ...[0xb8, 0x01, 0x02, 0x31, 0xdb], // mov ax, 201h; xor bx, bx: one sector to 2000:0
  ...[0xb9, 0x02, 0x00, 0xba, 0x80, 0x00], // mov cx, 2; mov dx, 80h: the second of the first disk
  ...[0xcd, 0x13, 0x4d], // int 13h; dec bp
];
const BUSY_BOOT_SECTOR = [0xbd, READS, 0x00, ...LOOP, 0x75, 0x100 - (LOOP.length + 2), ...BOOT_SECTOR];

function bootDisk(code = BOOT_SECTOR) {
  const backend = memoryDisk(1 << 20);
  backend.content.set(code);
  backend.content.set([0x55, 0xaa], 510);
  return { id: "disk0", backend };
}

type BootDisk = ReturnType<typeof bootDisk>;
const DISKS: readonly (readonly [name: string, parts: (disk: BootDisk) => Partial<MachineParts>])[] = [
  ["virtio", (disk) => ({ disks: [disk] })],
  ["SCSI", (disk) => ({ scsi: { disks: [disk], drives: [] } })],
  ["NVMe", (disk) => ({ nvme: [disk] })],
  ["IDE", ({ id, backend }) => ({ ide: [{ id, position: 0, disk: backend }] })],
];

/** Instructions until the boot sector has printed its mark. */
async function instructionsOf(parts: Partial<MachineParts>): Promise<bigint> {
  const guest = await PcGuest.start({ createProcessor: coreProcessor(await interpreterModule()), parts });
  try {
    await guest.waitForConsole("!");
    return guest.machine.vcpu.state.get(STATE.instructionCount);
  } finally {
    guest.stop();
  }
}

it.each(DISKS)(
  "SeaBIOS is at the boot sector of a %s disk within a fraction of a second's work",
  async (_name, parts) => {
    expect(await instructionsOf(parts(bootDisk()))).toBeLessThan(MOST_INSTRUCTIONS);
  },
  120_000,
);

it.each(DISKS)(
  "SeaBIOS polls not for long when the host reads from a %s disk, however fast the guest was before",
  async (_name, parts) => {
    const atBootSector = await instructionsOf(parts(bootDisk()));
    const counting = BigInt(READS * COUNTED * 2);
    const reading = (await instructionsOf(parts(bootDisk(BUSY_BOOT_SECTOR)))) - atBootSector - counting;
    expect(reading / BigInt(READS)).toBeLessThan(MOST_INSTRUCTIONS_PER_READ);
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
