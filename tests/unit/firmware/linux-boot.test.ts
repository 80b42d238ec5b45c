import { describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { LinuxBoot, type LinuxBootParts } from "../../../native-core/firmware/linux-boot.ts";
import { createMachine } from "../../../native-core/machine/machine.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import { type FakeMemory, fakeProcessor } from "../../support/fake-processor.ts";

const MIB = 1 << 20;

/** A bzImage with nothing in it but a valid header and recognizable bytes. */
function kernelImage(change: (view: DataView) => void = () => {}): Uint8Array {
  const image = new Uint8Array(0x1000).fill(0x90);
  const view = new DataView(image.buffer);
  image.fill(0, 0, 0x400);
  view.setUint8(0x1f1, 1);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x66);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint16(0x236, 3, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x1000000n, true);
  view.setUint32(0x260, 0x2000000, true);
  change(view);
  return image;
}

function boot(parts: Partial<LinuxBootParts> = {}) {
  const memoryBytes = parts.memoryBytes ?? 128 * MIB;
  const firmware = new LinuxBoot({
    kernel: { file: "vmlinuz", bytes: kernelImage() },
    commandLine: "console=ttyS0",
    memoryBytes,
    ...parts,
  });
  const sink = { write: () => {} };
  const machine = createMachine({ memoryBytes, createProcessor: fakeProcessor, firmware, serial: [sink, sink] });
  machine.powerOn();
  return { machine, memory: machine.memory as FakeMemory, state: machine.vcpu.state };
}

function failure(parts: Partial<LinuxBootParts>) {
  try {
    boot(parts);
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error("it booted");
}

describe("Direct Linux boot", () => {
  it("enters the kernel at its 64-bit entry point in long mode, interrupts off, RSI at boot_params", () => {
    const { state, memory } = boot();
    expect(state.get(STATE.rip)).toBe(0x1000200n);
    expect(state.get(STATE.cr0) & 0x80000001n).toBe(0x80000001n);
    expect([state.get(STATE.cr4) & 0x20n, state.get(STATE.efer) & 0x500n]).toEqual([0x20n, 0x500n]);
    expect(state.flags & 0x200n).toBe(0n);
    expect([state.segment("cs", "selector"), state.segment("ds", "selector")]).toEqual([0x10n, 0x18n]);
    const params = Number(state.general(6));
    expect(memory.readU32(params + 0x202)).toBe(0x53726448);
    expect(memory.bytes[0x1000200]).toBe(0x90);
  });

  it("enters a kernel of 32 bits at its start in flat protected mode without paging", () => {
    const bytes = kernelImage((view) => view.setUint16(0x236, 0, true));
    const { state, memory } = boot({ kernel: { file: "vmlinuz", bytes } });
    expect(state.get(STATE.rip)).toBe(0x1000000n);
    expect(state.get(STATE.cr0) & 0x80000001n).toBe(1n);
    expect([state.get(STATE.efer), state.get(STATE.cr4)]).toEqual([0n, 0n]);
    expect([state.segment("cs", "selector"), state.segment("ds", "selector")]).toEqual([0x10n, 0x18n]);
    // A default operand size of 32 bits, in the descriptor as in the register.
    expect(state.segment("cs", "attributes") & 0x6000n).toBe(0x4000n);
    expect(memory.readU64(Number(state.get(STATE.gdtBase)) + 0x10) >> 40n).toBe(0xcf9bn);
    expect(memory.readU32(Number(state.general(6)) + 0x202)).toBe(0x53726448);
  });

  it("maps the first 4 GiB to themselves", () => {
    const { state, memory } = boot();
    for (const address of [0n, 0x1000200n, 0xfee00000n, 0xffe00000n]) {
      const table = (base: bigint, shift: bigint) => memory.readU64(Number(base + ((address >> shift) & 511n) * 8n));
      const directory = table(table(state.get(STATE.cr3), 39n) & ~0xfffn, 30n) & ~0xfffn;
      const page = table(directory, 21n);
      expect(page & ~0x1fffffn).toBe(address & ~0x1fffffn);
      expect(page & 0x83n).toBe(0x83n);
    }
  });

  it("passes command line, initrd and memory map", () => {
    const initrd = { file: "initrd", bytes: new Uint8Array(5000).fill(7) };
    const { state, memory } = boot({ initrd, commandLine: "root=/dev/vda quiet" });
    const params = Number(state.general(6));
    const line = memory.readU32(params + 0x228);
    expect(new TextDecoder().decode(memory.bytes.subarray(line, line + 20))).toBe("root=/dev/vda quiet\0");
    const at = memory.readU32(params + 0x218);
    expect([memory.readU32(params + 0x21c), at % 4096, memory.bytes[at], memory.bytes[at + 4999]]).toEqual([
      5000, 0, 7, 7,
    ]);
    const entries = Array.from({ length: memory.bytes[params + 0x1e8] ?? 0 }, (_, index) => {
      const entry = params + 0x2d0 + index * 20;
      return [memory.readU64(entry), memory.readU64(entry + 8), memory.readU32(entry + 16)];
    });
    expect(entries[0]).toEqual([0n, 0x9fc00n, 1]);
    expect(entries.at(-1)).toEqual([0x100000n, BigInt(127 * MIB), 1]);
  });

  it("points to ACPI tables whose checksums hold, from the root down to DSDT", () => {
    const { state, memory } = boot();
    const sum = (address: number, length: number) =>
      memory.bytes.subarray(address, address + length).reduce((total, byte) => total + byte, 0) & 0xff;
    const signature = (address: number) => String.fromCharCode(...memory.bytes.subarray(address, address + 4));
    const rsdp = Number(memory.readU64(Number(state.general(6)) + 0x70));
    expect(String.fromCharCode(...memory.bytes.subarray(rsdp, rsdp + 8))).toBe("RSD PTR ");
    expect([sum(rsdp, 20), sum(rsdp, 36)]).toEqual([0, 0]);
    const xsdt = Number(memory.readU64(rsdp + 24));
    const length = memory.readU32(xsdt + 4);
    const tables = Array.from({ length: (length - 36) / 8 }, (_, index) =>
      Number(memory.readU64(xsdt + 36 + index * 8)),
    );
    expect(tables.map(signature)).toEqual(["FACP", "APIC", "HPET"]);
    const dsdt = memory.readU32((tables[0] as number) + 40);
    for (const table of [xsdt, ...tables, dsdt]) expect(sum(table, memory.readU32(table + 4))).toBe(0);
    expect([signature(dsdt), signature(memory.readU32((tables[0] as number) + 36))]).toEqual(["DSDT", "FACS"]);
  });

  it("leaves the interrupt controllers as a BIOS does: 8259 masked and passed through LINT0", () => {
    const { machine } = boot();
    expect([machine.bus.readPort(0x21, 1), machine.bus.readPort(0xa1, 1)]).toEqual([0xff, 0xff]);
    expect(machine.bus.readMmio(0xfee00350, 4)).toBe(0x700);
    expect(machine.bus.readMmio(0xfee000f0, 4) & 0x100).toBe(0x100);
  });

  it.each([
    ["something else", new Uint8Array(0x2000), "HdrS"],
    ["a file that is too short", new Uint8Array(100), "too short"],
    ["a truncated kernel", kernelImage((view) => view.setUint8(0x1f1, 40)), "truncated"],
    ["a kernel with an old boot protocol", kernelImage((view) => view.setUint16(0x206, 0x20a, true)), "2.10"],
    ["a zImage", kernelImage((view) => view.setUint8(0x211, 0)), "zImage"],
  ])("refuses %s, naming file and field", (_, bytes, message) => {
    const error = failure({ kernel: { file: "/home/me/vmlinuz", bytes } });
    expect(error.message).toContain(message);
    expect(error.details).toMatchObject({ file: "/home/me/vmlinuz", field: "boot.kernel" });
    expect(error.details.remedy).toBeTruthy();
  });

  it("refuses an initrd that does not fit and tells how much memory it takes", () => {
    const initrd = { file: "big.img", bytes: new Uint8Array(100 * MIB) };
    const error = failure({ initrd, memoryBytes: 128 * MIB });
    expect(error.details).toMatchObject({ file: "big.img", field: "memoryMiB" });
    expect(error.message).toContain("148 MiB");
  });

  it("refuses a command line that the kernel would cut off", () => {
    expect(failure({ commandLine: "x".repeat(2048) }).details.field).toBe("boot.commandLine");
  });
});
