// ACPI tables for firmware that places them itself: the tables linked for address 0, and a script that moves them
// (QEMU hw/acpi/bios-linker-loader.c documents the commands; SeaBIOS and OVMF run them).
//
// The script is derived from the tables: every pointer between them is known from ACPI 6.4, 5.2, so whoever adds a table to
// tables.ts has nothing to do here unless the table points to another one.
import { assert } from "../../common/assert.ts";

export const ACPI_FILES = {
  TABLES: "etc/acpi/tables",
  ROOT: "etc/acpi/rsdp",
  LOADER: "etc/table-loader",
} as const;

const COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;
const ZONE = { HIGH: 1, F_SEGMENT: 2 } as const;
const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const TABLE_ALIGNMENT = 64;
const ROOT_ALIGNMENT = 16;

const RSDP = { BYTES: 36, CHECKSUM: 8, CHECKED_BYTES: 20, RSDT: 16, XSDT: 24, EXTENDED_CHECKSUM: 32 } as const;
const HEADER = { BYTES: 36, LENGTH: 4, CHECKSUM: 9 } as const;
/** FIRMWARE_CTRL, DSDT, X_FIRMWARE_CTRL and X_DSDT: offset and size. */
const FADT_POINTERS = [
  [36, 4],
  [40, 4],
  [132, 8],
  [140, 8],
] as const;

/** `image` was built for address 0 and starts with the RSDP. */
export function acpiFiles(image: Uint8Array): Map<string, Uint8Array> {
  const tables = image.slice();
  const root = image.slice(0, RSDP.BYTES);
  const script = new LoaderScript();
  const view = new DataView(tables.buffer);
  script.allocate(ACPI_FILES.TABLES, TABLE_ALIGNMENT, ZONE.HIGH);
  script.allocate(ACPI_FILES.ROOT, ROOT_ALIGNMENT, ZONE.F_SEGMENT);

  const rsdt = view.getUint32(RSDP.RSDT, true);
  const xsdt = Number(view.getBigUint64(RSDP.XSDT, true));
  const tableOffsets = new Set<number>();
  for (const [list, size] of [
    [rsdt, 4],
    [xsdt, 8],
  ] as const) {
    const end = list + view.getUint32(list + HEADER.LENGTH, true);
    for (let at = list + HEADER.BYTES; at < end; at += size) {
      script.addPointer(ACPI_FILES.TABLES, at, size);
      tableOffsets.add(view.getUint32(at, true));
    }
    script.addChecksum(ACPI_FILES.TABLES, list + HEADER.CHECKSUM, list, end - list);
  }
  for (const table of tableOffsets) {
    if (signature(tables, table) !== "FACP") continue;
    for (const [offset, size] of FADT_POINTERS) {
      if (view.getUint32(table + offset, true) !== 0) script.addPointer(ACPI_FILES.TABLES, table + offset, size);
    }
    script.addChecksum(ACPI_FILES.TABLES, table + HEADER.CHECKSUM, table, view.getUint32(table + HEADER.LENGTH, true));
  }
  script.addPointer(ACPI_FILES.ROOT, RSDP.RSDT, 4);
  script.addPointer(ACPI_FILES.ROOT, RSDP.XSDT, 8);
  script.addChecksum(ACPI_FILES.ROOT, RSDP.CHECKSUM, 0, RSDP.CHECKED_BYTES);
  script.addChecksum(ACPI_FILES.ROOT, RSDP.EXTENDED_CHECKSUM, 0, RSDP.BYTES);
  return new Map([
    [ACPI_FILES.TABLES, tables],
    [ACPI_FILES.ROOT, root],
    [ACPI_FILES.LOADER, script.bytes()],
  ]);
}

/** Commands of 128 bytes: {command:u32} and its arguments, little-endian. */
class LoaderScript {
  readonly #commands: Uint8Array[] = [];

  allocate(file: string, alignment: number, zone: number): void {
    const view = this.#command(COMMAND.ALLOCATE, file);
    view.setUint32(4 + NAME_BYTES, alignment, true);
    view.setUint8(8 + NAME_BYTES, zone);
  }

  /** The pointer at `offset` holds an offset into the tables, and becomes an address. */
  addPointer(file: string, offset: number, size: 4 | 8): void {
    const view = this.#command(COMMAND.ADD_POINTER, file, ACPI_FILES.TABLES);
    view.setUint32(4 + 2 * NAME_BYTES, offset, true);
    view.setUint8(8 + 2 * NAME_BYTES, size);
  }

  addChecksum(file: string, offset: number, start: number, length: number): void {
    const view = this.#command(COMMAND.ADD_CHECKSUM, file);
    view.setUint32(4 + NAME_BYTES, offset, true);
    view.setUint32(8 + NAME_BYTES, start, true);
    view.setUint32(12 + NAME_BYTES, length, true);
  }

  bytes(): Uint8Array {
    const script = new Uint8Array(this.#commands.length * COMMAND_BYTES);
    for (const [index, command] of this.#commands.entries()) script.set(command, index * COMMAND_BYTES);
    return script;
  }

  #command(command: number, ...names: string[]): DataView {
    const bytes = new Uint8Array(COMMAND_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, command, true);
    for (const [index, name] of names.entries()) {
      assert(name.length < NAME_BYTES, "file name fits");
      bytes.set(new TextEncoder().encode(name), 4 + index * NAME_BYTES);
    }
    this.#commands.push(bytes);
    return view;
  }
}

function signature(tables: Uint8Array, offset: number): string {
  return String.fromCharCode(...tables.subarray(offset, offset + 4));
}
