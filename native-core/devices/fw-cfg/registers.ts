// QEMU's firmware configuration device, by which SeaBIOS and OVMF learn about the machine (QEMU docs/specs/fw_cfg.rst).

export const FW_CFG_SELECTOR_PORT = 0x510;
export const FW_CFG_DMA_PORT = 0x514;

/** Keys of items that are not files. */
export const FW_CFG_KEY = {
  SIGNATURE: 0x0000,
  ID: 0x0001,
  CPU_COUNT: 0x0005,
  BOOT_MENU: 0x000e,
  MAX_CPU_COUNT: 0x000f,
  FILE_DIRECTORY: 0x0019,
  FIRST_FILE: 0x0020,
} as const;

export const FW_CFG_ID = { TRADITIONAL: 1, DMA: 2 } as const;
/** Reads as "QEMU CFG" where DMA is there. */
export const FW_CFG_DMA_SIGNATURE = [0x51454d55, 0x20434647] as const;
export const FW_CFG_DMA_CONTROL = { ERROR: 0x01, READ: 0x02, SKIP: 0x04, SELECT: 0x08, WRITE: 0x10 } as const;

export const FW_CFG_FILE_NAME_BYTES = 56;
export const FW_CFG_FILE_ENTRY_BYTES = 64;
