// What firmware images learn about the machine through fw_cfg: memory, boot order, ACPI tables and the script that places them.
import { describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { ECAM_BASE } from "../../../native-core/devices/chipset/models.ts";
import { PcFirmware } from "../../../native-core/firmware/pc-firmware.ts";

const MEMORY_BYTES = 128 << 20;
const COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;

const bios = { file: "bios.bin", bytes: new Uint8Array(256 << 10) };
const videoBios = { file: "vgabios.bin", bytes: Uint8Array.of(0x55, 0xaa, 1) };

function firmware(changes: Partial<ConstructorParameters<typeof PcFirmware>[0]> = {}): PcFirmware {
  return new PcFirmware({
    ...{ bios, videoBios, memoryBytes: MEMORY_BYTES, cpuCount: 2 },
    ...{ uuid: new Uint8Array(16).fill(7), bootOrder: ["/a", "/b"], bootMenuMs: 0 },
    ...changes,
  });
}

function file(name: string, from = firmware()): Uint8Array {
  const content = from.fwCfg.files.get(name);
  if (!content) throw new Error(`no file ${name}`);
  return content;
}

/** Runs the loader script as firmware does: files at `bases`. */
function link(bases: ReadonlyMap<string, number>, from = firmware()): Map<string, Uint8Array> {
  const script = file("etc/table-loader", from);
  const view = new DataView(script.buffer);
  const files = new Map<string, Uint8Array>();
  const name = (at: number) => String.fromCharCode(...script.subarray(at, at + 56)).replace(/\0.*/, "");
  for (let at = 0; at < script.length; at += 128) {
    const first = name(at + 4);
    const command = view.getUint32(at, true);
    if (command === COMMAND.ALLOCATE) {
      files.set(first, file(first, from).slice());
      continue;
    }
    const target = files.get(first);
    if (!target) throw new Error(`${first} was not allocated`);
    const bytes = new DataView(target.buffer);
    if (command === COMMAND.ADD_POINTER) {
      const offset = view.getUint32(at + 116, true);
      const base = bases.get(name(at + 60)) ?? 0;
      if (view.getUint8(at + 120) === 8)
        bytes.setBigUint64(offset, bytes.getBigUint64(offset, true) + BigInt(base), true);
      else bytes.setUint32(offset, bytes.getUint32(offset, true) + base, true);
    } else {
      expect(command).toBe(COMMAND.ADD_CHECKSUM);
      const [offset, start, length] = [60, 64, 68].map((field) => view.getUint32(at + field, true)) as [
        number,
        number,
        number,
      ];
      target[offset] = (target[offset] ?? 0) - sum(target.subarray(start, start + length));
    }
  }
  return files;
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0) & 0xff;
}

describe("Firmware images", () => {
  it("are told all of memory, the boot order and whether to show a menu", () => {
    const view = new DataView(file("etc/e820").buffer);
    expect([view.getBigUint64(0, true), view.getBigUint64(8, true), view.getUint32(16, true)]).toEqual([
      0n,
      BigInt(MEMORY_BYTES),
      1,
    ]);
    expect(new TextDecoder().decode(file("bootorder"))).toBe("/a\n/b\0");
    expect(firmware().fwCfg.items.get(0x0e)).toEqual(Uint8Array.of(0, 0));
    expect(firmware({ bootMenuMs: 500 }).fwCfg.items.get(0x0e)).toEqual(Uint8Array.of(1, 0));
    const uefi = (bootMenuMs: number) => {
      const made = new PcFirmware({
        ...{ bios, memoryBytes: MEMORY_BYTES, cpuCount: 1, uuid: new Uint8Array(16), bootOrder: [], bootMenuMs },
      });
      return [made.fwCfg.items.get(0x0e)?.[0], file("etc/boot-menu-wait", made)[1]];
    };
    expect([uefi(500), uefi(2500)]).toEqual([
      [0, 0],
      [1, 2000 >> 8],
    ]);
  });

  it.each([
    ["i440fx", ["FACP", "APIC", "HPET"]],
    ["q35", ["FACP", "APIC", "HPET", "MCFG"]],
  ] as const)(
    "place ACPI tables of %s anywhere: each pointer leads to a table with a right sum",
    (chipset, expected) => {
      const tablesBase = 0x7fe0000;
      const files = link(new Map([["etc/acpi/tables", tablesBase]]), firmware({ chipset }));
      const root = files.get("etc/acpi/rsdp") ?? new Uint8Array();
      const tables = files.get("etc/acpi/tables") ?? new Uint8Array();
      const view = new DataView(tables.buffer);
      expect(sum(root.subarray(0, 20))).toBe(0);
      expect(sum(root)).toBe(0);
      const table = (address: number | bigint) => {
        const at = Number(address) - tablesBase;
        const length = view.getUint32(at + 4, true);
        const signature = String.fromCharCode(...tables.subarray(at, at + 4));
        if (signature !== "FACS") expect(sum(tables.subarray(at, at + length)), signature).toBe(0);
        return { at, signature, length };
      };
      const xsdt = table(new DataView(root.buffer).getBigUint64(24, true));
      expect(xsdt.signature).toBe("XSDT");
      const entries = Array.from({ length: (xsdt.length - 36) / 8 }, (_, index) =>
        table(view.getBigUint64(xsdt.at + 36 + index * 8, true)),
      );
      const fadt = entries.find(({ signature }) => signature === "FACP");
      expect(entries.map(({ signature }) => signature)).toEqual(expected);
      for (const { at, signature } of entries)
        if (signature === "MCFG") expect(view.getBigUint64(at + 44, true)).toBe(BigInt(ECAM_BASE.bios));
      expect(table(view.getUint32((fadt?.at ?? 0) + 36, true)).signature).toBe("FACS");
      expect(table(view.getUint32((fadt?.at ?? 0) + 40, true)).signature).toBe("DSDT");
      expect(table(view.getBigUint64((fadt?.at ?? 0) + 140, true)).signature).toBe("DSDT");
    },
  );

  it("get SMBIOS structures that end where the entry point says", () => {
    const anchor = file("etc/smbios/smbios-anchor");
    const tables = file("etc/smbios/smbios-tables");
    const view = new DataView(anchor.buffer);
    expect(view.getUint16(22, true)).toBe(tables.length);
    let count = 0;
    for (let at = 0; at < tables.length; count++) {
      at += tables[at + 1] ?? 0;
      while (tables[at] !== 0 || tables[at + 1] !== 0) at++;
      at += 2;
    }
    expect(count).toBe(view.getUint16(28, true));
    expect([...tables].filter((_, at) => tables[at] === 4 && tables[at + 3] === 4)).toHaveLength(2);
  });

  it("are refused when they can't be firmware, naming the file", () => {
    for (const [changes, name] of [
      [{ bios: { file: "bios.bin", bytes: new Uint8Array(1000) } }, "bios.bin"],
      [{ videoBios: { file: "vgabios.bin", bytes: new Uint8Array(512) } }, "vgabios.bin"],
      [{ adapterRoms: new Map([["e1000", { file: "e1000.rom", bytes: new Uint8Array(512) }]]) }, "e1000.rom"],
    ] as const) {
      try {
        firmware(changes);
        expect.unreachable();
      } catch (error) {
        if (!isAppError(error)) throw error;
        expect(error.details.file).toBe(name);
      }
    }
  });
});
