// The guest physical address space of the board.
//
//   0x0000_0000  RAM; 0x000A_0000..0x000F_FFFF is not usable as such: VGA window, then firmware area (ACPI tables)
//   0xC000_0000  PCI memory BARs (RAM ends below: at most 3 GiB)
//   0xFEC0_0000  I/O APIC
//   0xFEE0_0000  local APIC
//   0xFFFC_0000  firmware ROM, where there is one
export const MEMORY_MAP = {
  /** RAM below the extended BIOS data area. */
  LOW_RAM_END: 0x9fc00,
  VGA_WINDOW: 0xa0000,
  VGA_WINDOW_END: 0xc0000,
  /** RSDP and ACPI tables; searched for by guests in 0xE0000..0xFFFFF (ACPI 6.4, 5.2.5.1). */
  FIRMWARE_AREA: 0xe0000,
  FIRMWARE_AREA_END: 0x100000,
  HIGH_RAM: 0x100000,
  PCI_WINDOW: 0xc0000000,
  PCI_WINDOW_END: 0xfec00000,
  RAM_MIN_BYTES: 64 << 20,
  RAM_MAX_BYTES: 3 * 1024 * 1024 * 1024,
} as const;

/** Ports left for PCI I/O BARs. */
export const PCI_PORT_WINDOW = { FIRST: 0xc000, LAST: 0xffff } as const;

/** Type of a range in the memory map that firmware reports (ACPI 6.4, table 15.4). */
const E820 = { RAM: 1, RESERVED: 2, ACPI: 3 } as const;

export interface MemoryRange {
  base: number;
  length: number;
  type: (typeof E820)[keyof typeof E820];
}

/** What firmware tells the guest about the address space. */
export function memoryRanges(ramBytes: number): MemoryRange[] {
  const m = MEMORY_MAP;
  return [
    { base: 0, length: m.LOW_RAM_END, type: E820.RAM },
    { base: m.LOW_RAM_END, length: m.VGA_WINDOW - m.LOW_RAM_END, type: E820.RESERVED },
    { base: m.FIRMWARE_AREA, length: m.FIRMWARE_AREA_END - m.FIRMWARE_AREA, type: E820.RESERVED },
    { base: m.HIGH_RAM, length: ramBytes - m.HIGH_RAM, type: E820.RAM },
  ];
}
