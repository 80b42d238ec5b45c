// The PIIX3's IDE function (Intel 82371SB, 2.3 and 2.7; SFF-8038i for the bus master): two channels with two drives each.
//
//   channel   command block   control   interrupt
//   primary   1F0h-1F7h       3F6h      14
//   secondary 170h-177h       376h      15

export const IDE_CHANNELS = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;

/** Offsets in the command block; some mean another register when written. */
export const IDE = {
  DATA: 0,
  ERROR_FEATURES: 1,
  COUNT: 2,
  LBA_LOW: 3,
  LBA_MID: 4,
  LBA_HIGH: 5,
  DEVICE: 6,
  STATUS_COMMAND: 7,
} as const;

export const IDE_CONTROL = { INTERRUPT_OFF: 0x02, SOFT_RESET: 0x04, HIGH_BYTE: 0x80 } as const;

/** Bus master registers of a channel: command, status, descriptor table. */
export const BUS_MASTER = { COMMAND: 0, STATUS: 2, TABLE: 4, BYTES: 8 } as const;
export const BUS_MASTER_COMMAND = { START: 0x01, TO_MEMORY: 0x08 } as const;
export const BUS_MASTER_STATUS = { ACTIVE: 0x01, ERROR: 0x02, INTERRUPT: 0x04, CAPABLE: 0x60 } as const;
export const PRD_BYTES = 8;
export const PRD_LAST = 0x80000000;

/** IDE timing registers: a write enables decoding of a channel (82371SB 2.3.1). */
export const IDE_TIMING = 0x40;
export const IDE_DECODE_ENABLE = 0x8000;
