// SMBIOS structures (DMTF DSP0134 2.8) that firmware passes on to the guest: what the machine is, its processors and memory.
// Firmware puts its own type 0 (BIOS) in front.

export const SMBIOS_FILES = { ANCHOR: "etc/smbios/smbios-anchor", TABLES: "etc/smbios/smbios-tables" } as const;

const HANDLE = {
  SYSTEM: 0x100,
  CHASSIS: 0x300,
  PROCESSOR: 0x400,
  MEMORY_ARRAY: 0x1000,
  MEMORY_DEVICE: 0x1100,
  MAPPED_ADDRESS: 0x1300,
  BOOT: 0x2000,
  END: 0x7f00,
} as const;
const ENTRY_POINT_BYTES = 31;
const MIB = 1 << 20;
const UNKNOWN = 2;

export interface SmbiosMachine {
  readonly memoryBytes: number;
  readonly cpuCount: number;
  /** 16 bytes that tell the machine from others. */
  readonly uuid: Uint8Array;
}

export function smbiosFiles({ memoryBytes, cpuCount, uuid }: SmbiosMachine): Map<string, Uint8Array> {
  const memoryMib = Math.floor(memoryBytes / MIB);
  const structures = [
    structure(1, HANDLE.SYSTEM, [1, 2, 3, 0, ...uuid, 6, 0, 0], ["Terrarium", "Terrarium PC", "1"]),
    // Chassis: other; states unknown but safe.
    structure(3, HANDLE.CHASSIS, [1, 1, 0, 0, 0, 3, 3, 3, 3, ...dword(0), 0, 0, 0, 0], ["Terrarium"]),
    ...Array.from({ length: cpuCount }, (_, index) => processor(index)),
    // System memory on the board, no error correction.
    structure(16, HANDLE.MEMORY_ARRAY, [1, 3, 3, ...dword(memoryMib * 1024), ...word(0xfffe), ...word(1)], []),
    memoryDevice(memoryMib),
    structure(
      19,
      HANDLE.MAPPED_ADDRESS,
      [...dword(0), ...dword(memoryMib * 1024 - 1), ...word(HANDLE.MEMORY_ARRAY), 1],
      [],
    ),
    structure(32, HANDLE.BOOT, [0, 0, 0, 0, 0, 0, 0], []),
    structure(127, HANDLE.END, [], []),
  ];
  const tables = Uint8Array.from(structures.flat());
  const longest = Math.max(...structures.map((each) => each.length));
  return new Map([
    [SMBIOS_FILES.ANCHOR, entryPoint(tables.length, longest, structures.length)],
    [SMBIOS_FILES.TABLES, tables],
  ]);
}

function processor(index: number): number[] {
  const central = 3;
  const enabled = 0x41;
  const noCache = word(0xffff);
  return structure(
    4,
    HANDLE.PROCESSOR + index,
    [
      ...[1, central, 1, 2, ...new Array<number>(8).fill(0), 3, 0, ...word(0), ...word(2000), ...word(2000)],
      ...[enabled, 1, ...noCache, ...noCache, ...noCache, 0, 0, 0, 1, 1, 1, ...word(4), ...word(1)],
    ],
    [`CPU ${index}`, "Terrarium", "virtual", ""].filter((text) => text !== ""),
  );
}

function memoryDevice(memoryMib: number): number[] {
  const dimm = 9;
  const ram = 7;
  return structure(
    17,
    HANDLE.MEMORY_DEVICE,
    [
      ...[...word(HANDLE.MEMORY_ARRAY), ...word(0xfffe), ...word(0xffff), ...word(0xffff)],
      ...[...word(Math.min(memoryMib, 0x7ffe)), dimm, 0, 1, 0, ram, ...word(UNKNOWN), ...word(0), 2, 0, 0, 0, 0],
    ],
    ["DIMM 0", "Terrarium"],
  );
}

/** Formatted area behind the header, then the strings it refers to by number. */
function structure(type: number, handle: number, formatted: readonly number[], strings: readonly string[]): number[] {
  const text = strings.flatMap((each) => [...new TextEncoder().encode(each), 0]);
  return [type, formatted.length + 4, ...word(handle), ...formatted, ...(text.length > 0 ? text : [0]), 0];
}

/** SMBIOS 2.1 entry point (5.2.1); firmware fills in address and checksums. */
function entryPoint(tableBytes: number, longest: number, count: number): Uint8Array {
  const entry = new Uint8Array(ENTRY_POINT_BYTES);
  const view = new DataView(entry.buffer);
  entry.set(new TextEncoder().encode("_SM_"));
  entry.set([ENTRY_POINT_BYTES, 2, 8], 5);
  view.setUint16(8, longest, true);
  entry.set(new TextEncoder().encode("_DMI_"), 16);
  view.setUint16(22, tableBytes, true);
  view.setUint16(28, count, true);
  entry[30] = 0x28;
  return entry;
}

const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];
