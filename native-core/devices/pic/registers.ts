// 8259A programmable interrupt controller pair of the ISA bus (Intel 8259A data sheet) with ELCR (PIIX3, 2.5.2.4).

export const PIC_MASTER_PORT = 0x20;
export const PIC_SLAVE_PORT = 0xa0;
/** Edge/level control, one byte per controller. */
export const PIC_ELCR_PORT = 0x4d0;
/** Input of the master that the slave's output is wired to. */
export const PIC_CASCADE_IRQ = 2;

/** First initialization word, recognized by bit 4 at the even port. */
export const ICW1 = { NEEDS_ICW4: 0x01, SINGLE: 0x02, INIT: 0x10 } as const;
export const ICW4 = { AUTO_EOI: 0x02, SPECIAL_FULLY_NESTED: 0x10 } as const;
/** Operation word 3, recognized by bit 3. */
export const OCW3 = {
  READ_ISR: 0x03,
  READ_IRR: 0x02,
  POLL: 0x04,
  SELECT: 0x08,
  SET_SPECIAL_MASK: 0x60,
  SPECIAL_MASK_ON: 0x20,
} as const;

/** Operation word 2, bits 7..5. */
export const OCW2 = {
  ROTATE_AUTO_CLEAR: 0,
  EOI: 1,
  NOP: 2,
  SPECIFIC_EOI: 3,
  ROTATE_AUTO_SET: 4,
  ROTATE_EOI: 5,
  SET_PRIORITY: 6,
  ROTATE_SPECIFIC_EOI: 7,
} as const;

/** Inputs that are always edge-triggered: timer, keyboard and cascade; RTC and coprocessor. */
export const ELCR_WRITABLE = [0xf8, 0xde] as const;
