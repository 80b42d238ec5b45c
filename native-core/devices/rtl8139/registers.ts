// Registers of the Realtek RTL8139C (data sheet, chapter 5). 256 bytes, reached by ports or memory in any width.
//
//   00 address  08 multicast  10 transmit status x4  20 transmit address x4  30 receive buffer  37 command  38 CAPR  3A CBR
//   3C interrupt mask and status  40 transmit and receive configuration  48 timer  4C missed  50 EEPROM, configuration  62 PHY

export const REGISTER_BYTES = 256;

export const REG = {
  IDR: 0x00,
  MAR: 0x08,
  TSD: 0x10,
  TSAD: 0x20,
  RBSTART: 0x30,
  CR: 0x37,
  CAPR: 0x38,
  CBR: 0x3a,
  IMR: 0x3c,
  ISR: 0x3e,
  TCR: 0x40,
  RCR: 0x44,
  TCTR: 0x48,
  MPC: 0x4c,
  EECR: 0x50,
  CONFIG0: 0x51,
  CONFIG1: 0x52,
  TIMER_INT: 0x54,
  MSR: 0x58,
  CONFIG3: 0x59,
  CONFIG4: 0x5a,
  REVISION: 0x5e,
  TSAD_SUMMARY: 0x60,
  BMCR: 0x62,
  BMSR: 0x64,
  ANAR: 0x66,
  ANLPAR: 0x68,
  ANER: 0x6a,
  CSCR: 0x74,
} as const;

export const CR = { EMPTY: 1, TRANSMIT: 4, RECEIVE: 8, RESET: 0x10 } as const;
export const ISR = { ROK: 1, TOK: 4, LINK: 0x20, TIMEOUT: 0x4000 } as const;
export const TSD = { SIZE: 0x1fff, OWN: 0x2000, OK: 0x8000, OF_DRIVER: 0x003f_3fff } as const;
export const TCR_LOOPBACK = 3 << 17;
/** What the part is, for drivers: an RTL8139C. */
export const TCR_VERSION = 0x7400_0000;
export const RCR = {
  ALL: 1,
  OWN_ADDRESS: 2,
  MULTICAST: 4,
  BROADCAST: 8,
  WRAP: 0x80,
  LENGTH_SHIFT: 11,
} as const;
export const EECR = { DO: 1, DI: 2, SK: 4, CS: 8, MODE: 0xc0, CONFIG_WRITE: 0xc0 } as const;
export const MSR_LINK_DOWN = 4;
/** 100 and 10 Mbit/s, either duplex, negotiation; then negotiation done, and link. */
export const BMSR = { ABLE: 0x7809, NEGOTIATED: 0x20, LINK: 4 } as const;
/** The cable is plugged in; it was plugged in or pulled out, until that is acknowledged. */
export const CSCR = { LINK: 0x0400, CHANGED: 0x0800 } as const;
export const BMCR = { RESET: 0x8000, NEGOTIATE: 0x1000, RESTART: 0x0200 } as const;
export const ANAR = 0x05e1;
export const PARTNER = 0x45e1;

/** What a write reaches: offset, number of bytes, bits. */
type WritableBits = readonly (readonly [offset: number, bytes: number, mask: number])[];
const each = (first: number, mask: number): WritableBits => [0, 4, 8, 12].map((at) => [first + at, 4, mask] as const);
export const WRITABLE: WritableBits = [
  [REG.MAR, 4, 0xffff_ffff],
  [REG.MAR + 4, 4, 0xffff_ffff],
  ...each(REG.TSD, TSD.OF_DRIVER),
  ...each(REG.TSAD, 0xffff_ffff),
  [REG.RBSTART, 4, 0xffff_ffff],
  [REG.CAPR, 2, 0xffff],
  [REG.IMR, 2, 0xffff],
  [REG.TCR, 4, 0x0307_07f0],
  [REG.RCR, 4, 0x0f7f_ffff],
  [REG.TIMER_INT, 4, 0xffff_ffff],
];
/** Those that have to be unlocked through EECR. The address is one of them. */
export const LOCKED: WritableBits = [
  [REG.IDR, 4, 0xffff_ffff],
  [REG.IDR + 4, 2, 0xffff],
  [REG.CONFIG1, 1, 0xff],
  [REG.CONFIG3, 1, 0x61],
  [REG.CONFIG4, 1, 0xff],
];
