// 16550A UART (National Semiconductor PC16550D data sheet, section 8).

export const UART_PORTS = [0x3f8, 0x2f8] as const;
export const UART_IRQS = [4, 3] as const;
export const UART_FIFO_BYTES = 16;

/** Offsets. 0 and 1 are the divisor latch while LCR.DLAB is set. */
export const UART = { DATA: 0, IER: 1, IIR: 2, FCR: 2, LCR: 3, MCR: 4, LSR: 5, MSR: 6, SCRATCH: 7 } as const;

export const IER = { RECEIVED: 0x01, TRANSMIT_EMPTY: 0x02, LINE_STATUS: 0x04, MODEM_STATUS: 0x08 } as const;
export const IIR = {
  NONE: 0x01,
  MODEM_STATUS: 0x00,
  TRANSMIT_EMPTY: 0x02,
  RECEIVED: 0x04,
  LINE_STATUS: 0x06,
  TIMEOUT: 0x0c,
  FIFO_ENABLED: 0xc0,
} as const;
export const FCR = { ENABLE: 0x01, CLEAR_RECEIVE: 0x02, CLEAR_TRANSMIT: 0x04 } as const;
export const LCR_DLAB = 0x80;
export const MCR = { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10 } as const;
export const LSR = { DATA_READY: 0x01, OVERRUN: 0x02, BREAK: 0x10, TRANSMIT_EMPTY: 0x60 } as const;
/** Upper half: state of CTS, DSR, RI, DCD; lower half: what changed since the last read. */
export const MSR = { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80, RI_TRAILING: 0x04 } as const;
/** Bytes in the FIFO at which "received" is signalled, by FCR bits 7..6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
