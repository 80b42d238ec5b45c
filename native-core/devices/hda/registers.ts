// Registers of a High Definition Audio controller (Intel HDA specification 1.0a, 3.3), in the specification's spelling.

export const HDA = {
  GCAP: 0x00,
  VMIN: 0x02,
  VMAJ: 0x03,
  OUTPAY: 0x04,
  INPAY: 0x06,
  GCTL: 0x08,
  WAKEEN: 0x0c,
  STATESTS: 0x0e,
  GSTS: 0x10,
  OUTSTRMPAY: 0x18,
  INTCTL: 0x20,
  INTSTS: 0x24,
  WALCLK: 0x30,
  SSYNC: 0x38,
  CORBLBASE: 0x40,
  CORBUBASE: 0x44,
  CORBWP: 0x48,
  CORBRP: 0x4a,
  CORBCTL: 0x4c,
  CORBSTS: 0x4d,
  CORBSIZE: 0x4e,
  RIRBLBASE: 0x50,
  RIRBUBASE: 0x54,
  RIRBWP: 0x58,
  RINTCNT: 0x5a,
  RIRBCTL: 0x5c,
  RIRBSTS: 0x5d,
  RIRBSIZE: 0x5e,
  ICOI: 0x60,
  ICII: 0x64,
  ICIS: 0x68,
  DPLBASE: 0x70,
  DPUBASE: 0x74,
  STREAMS: 0x80,
} as const;

/** Of a stream descriptor, from its base. */
export const SD = {
  CTL: 0x00,
  STS: 0x03,
  LPIB: 0x04,
  CBL: 0x08,
  LVI: 0x0c,
  FIFOS: 0x10,
  FMT: 0x12,
  BDPL: 0x18,
  BDPU: 0x1c,
  BYTES: 0x20,
} as const;

export const SD_CTL = { SRST: 1, RUN: 2, IOCE: 4, TAG_SHIFT: 20 } as const;
export const SD_STS = { BCIS: 4, CLEARABLE: 0x1c, FIFORDY: 0x20 } as const;

export const GCTL = { CRST: 1, WRITABLE: 0x103 } as const;
export const INTCTL = { CIE: 2 ** 30, GIE: 2 ** 31 } as const;
export const CORBRP_RST = 0x8000;
export const CORBCTL_RUN = 2;
export const RIRBWP_RST = 0x8000;
export const RIRBCTL = { INTERRUPT: 1, RUN: 2 } as const;
export const RIRBSTS_INTERRUPT = 1;
export const ICIS = { BUSY: 1, VALID: 2 } as const;
/** Both rings have 256 entries, and nothing else: the size bits read as capability 0x40 and size 2. */
export const RING_SIZE = 0x42;
export const RING_ENTRIES = 256;
