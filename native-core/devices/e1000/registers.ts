// Registers of the Intel 82540EM (Intel: PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, chapter 13), in its
// spelling. Offsets in the 128 KiB of BAR 0.

export const REG = {
  CTRL: 0x0000,
  STATUS: 0x0008,
  EECD: 0x0010,
  EERD: 0x0014,
  MDIC: 0x0020,
  ICR: 0x00c0,
  ICS: 0x00c8,
  IMS: 0x00d0,
  IMC: 0x00d8,
  RCTL: 0x0100,
  TCTL: 0x0400,
  RDBAL: 0x2800,
  RDBAH: 0x2804,
  RDLEN: 0x2808,
  RDH: 0x2810,
  RDT: 0x2818,
  TDBAL: 0x3800,
  TDBAH: 0x3804,
  TDLEN: 0x3808,
  TDH: 0x3810,
  TDT: 0x3818,
  /** Statistics, cleared by reading. */
  STATISTICS: 0x4000,
  STATISTICS_END: 0x4100,
  MTA: 0x5200,
  RAL: 0x5400,
  RAH: 0x5404,
  /** Registers end here; the rest of BAR 0 reads as zero. */
  END: 0x6000,
} as const;

/** BAR 1: an index and the register it stands for (13.2.2). */
export const IO_ADDR = 0;
export const IO_DATA = 4;

export const CTRL_RST = 1 << 26;
export const CTRL_PHY_RST = 0x80000000;
export const STATUS_FD = 1;
export const STATUS_LU = 2;
/** 1000 Mbit/s, twice: speed and auto-detected speed. */
export const STATUS_SPEED = (2 << 6) | (2 << 8);

export const ICR_BITS = { TXDW: 1 << 0, TXQE: 1 << 1, LSC: 1 << 2, RXDMT0: 1 << 4, RXO: 1 << 6, RXT0: 1 << 7 } as const;

export const RCTL = {
  EN: 1 << 1,
  UPE: 1 << 3,
  MPE: 1 << 4,
  LPE: 1 << 5,
  MO_SHIFT: 12,
  BAM: 1 << 15,
  BSIZE_SHIFT: 16,
  BSEX: 1 << 25,
  SECRC: 1 << 26,
} as const;

export const TCTL_EN = 1 << 1;
export const RAH_AV = 0x80000000;
export const RECEIVE_ADDRESSES = 16;
export const DESCRIPTOR_BYTES = 16;
