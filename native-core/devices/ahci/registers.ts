// Registers and structures of an AHCI host bus adapter (Serial ATA AHCI 1.3.1, chapters 3 and 4), as far as a PC with disks needs them.

export const HBA = { CAP: 0x00, GHC: 0x04, IS: 0x08, PI: 0x0c, VS: 0x10 } as const;
export const HBA_CAP = { SLOTS_32: 31 << 8, AHCI_ONLY: 1 << 18, GEN1: 1 << 20, ADDRESS_64: 0x80000000 } as const;
export const HBA_GHC = { RESET: 1, INTERRUPTS: 2, AHCI: 0x80000000 } as const;
export const AHCI_VERSION = 0x00010300;

export const PORT_BASE = 0x100;
export const PORT_BYTES = 0x80;
export const PORT = {
  CLB: 0x00,
  CLBU: 0x04,
  FB: 0x08,
  FBU: 0x0c,
  IS: 0x10,
  IE: 0x14,
  CMD: 0x18,
  TFD: 0x20,
  SIG: 0x24,
  SSTS: 0x28,
  SCTL: 0x2c,
  SERR: 0x30,
  SACT: 0x34,
  CI: 0x38,
} as const;
export const PORT_CMD = {
  START: 1 << 0,
  SPIN_UP: 1 << 1,
  POWER_ON: 1 << 2,
  FIS_RECEIVE: 1 << 4,
  FIS_RUNNING: 1 << 14,
  LIST_RUNNING: 1 << 15,
} as const;
export const PORT_IS = { DEVICE_TO_HOST: 1 << 0, TASK_FILE_ERROR: 1 << 30 } as const;
/** Device there, 1.5 Gbit/s, active. */
export const LINK_UP = 0x113;
export const DISK_SIGNATURE = 0x101;
/** Port reset requested by software. */
export const SCTL_DET = 0x0f;
export const DET_RESET = 1;

export const COMMAND_HEADER_BYTES = 32;
export const HEADER = { WRITE: 1 << 6, PRD_COUNT_SHIFT: 16, MOVED: 4, TABLE: 8 } as const;
export const PRD_OFFSET = 0x80;
export const PRD_BYTES = 16;
export const PRD_LENGTH_MASK = 0x3fffff;

export const FIS = { HOST_TO_DEVICE: 0x27, DEVICE_TO_HOST: 0x34, COMMAND: 0x80, BYTES: 20 } as const;
/** Place of the device-to-host FIS in the receive area. */
export const RECEIVED_D2H = 0x40;
