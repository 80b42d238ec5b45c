// Offsets and bits of PCI configuration space (PCI Local Bus 3.0, chapter 6) and of the MSI-X capability (6.8.2).

export const PCI = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  EXPANSION_ROM: 0x30,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

export const PCI_COMMAND = {
  IO: 1 << 0,
  MEMORY: 1 << 1,
  BUS_MASTER: 1 << 2,
  INTX_DISABLE: 1 << 10,
} as const;
/** Command bits a guest can set here: decoding, bus mastering, parity and SERR enables, INTx disable. */
export const PCI_COMMAND_WRITABLE = 0x0547;

export const PCI_STATUS = { INTERRUPT: 1 << 3, CAPABILITIES: 1 << 4 } as const;

export const PCI_HEADER_MULTIFUNCTION = 0x80;

export const PCI_CAPABILITY_MSIX = 0x11;

export const MSIX = {
  /** Message control: table size - 1, function mask, enable. */
  CONTROL: 2,
  TABLE: 4,
  PBA: 8,
  CAPABILITY_BYTES: 12,
  CONTROL_MASK_ALL: 1 << 14,
  CONTROL_ENABLE: 1 << 15,
  ENTRY_BYTES: 16,
  ENTRY_ADDRESS_LOW: 0,
  ENTRY_ADDRESS_HIGH: 4,
  ENTRY_DATA: 8,
  ENTRY_CONTROL: 12,
  ENTRY_MASKED: 1,
} as const;

/** Configuration mechanism 1: ports of the host bridge. */
export const PCI_CONFIG_ADDRESS_PORT = 0xcf8;
