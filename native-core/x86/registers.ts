// Architectural constants that more than one part needs, in the spelling of the manuals (SDM 3A 2.3, 2.5; SDM 4 for MSRs).

export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

export const RFLAGS = {
  CF: 0x1,
  PF: 0x4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x1_0000,
  VM: 0x2_0000,
  AC: 0x4_0000,
  VIF: 0x8_0000,
  VIP: 0x10_0000,
  ID: 0x20_0000,
} as const;

export const CR0 = {
  PE: 0x1,
  MP: 0x2,
  EM: 0x4,
  TS: 0x8,
  ET: 0x10,
  NE: 0x20,
  WP: 0x1_0000,
  AM: 0x4_0000,
  NW: 0x2000_0000,
  CD: 0x4000_0000,
  PG: 0x8000_0000,
} as const;

export const CR4 = {
  VME: 0x1,
  PVI: 0x2,
  TSD: 0x4,
  DE: 0x8,
  PSE: 0x10,
  PAE: 0x20,
  MCE: 0x40,
  PGE: 0x80,
  PCE: 0x100,
  OSFXSR: 0x200,
  OSXMMEXCPT: 0x400,
  UMIP: 0x800,
  FSGSBASE: 0x1_0000,
  PCIDE: 0x2_0000,
  OSXSAVE: 0x4_0000,
  SMEP: 0x10_0000,
  SMAP: 0x20_0000,
} as const;

/** Attributes (SEGMENT_FIELDS) of the flat segments that SYSCALL and its like load without a descriptor: present, accessed, 4 GiB. */
export const FLAT_SEGMENT = { CODE_64: 0xa09b, CODE_32: 0xc09b, DATA: 0xc093, DPL3: 0x60 } as const;

export const EFER = { SCE: 0x1, LME: 0x100, LMA: 0x400, NXE: 0x800, AIBRSE: 0x20_0000 } as const;
