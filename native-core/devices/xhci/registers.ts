// Registers and bits of an extensible host controller (xHCI 1.2, chapter 5), in the specification's spelling, and where this one has them.

/** Capability registers, from the beginning of BAR 0. */
export const CAP = {
  CAPLENGTH: 0x00,
  HCSPARAMS1: 0x04,
  HCSPARAMS2: 0x08,
  HCSPARAMS3: 0x0c,
  HCCPARAMS1: 0x10,
  DBOFF: 0x14,
  RTSOFF: 0x18,
} as const;
export const CAP_BYTES = 0x40;

/** Operational registers behind them. */
export const OP = {
  USBCMD: 0x40,
  USBSTS: 0x44,
  PAGESIZE: 0x48,
  DNCTRL: 0x54,
  CRCR: 0x58,
  DCBAAP: 0x70,
  CONFIG: 0x78,
  PORTS: 0x440,
  PORT_BYTES: 0x10,
} as const;

/** Runtime registers: one interrupter. */
export const RT = {
  BASE: 0x1000,
  MFINDEX: 0x1000,
  IMAN: 0x1020,
  IMOD: 0x1024,
  ERSTSZ: 0x1028,
  ERSTBA: 0x1030,
  ERDP: 0x1038,
  END: 0x1040,
} as const;
export const DOORBELLS = 0x2000;
/** Extended capabilities: which ports speak which protocol. */
export const PROTOCOLS = 0x500;
export const BAR_BYTES = 0x4000;

export const SLOTS = 16;
/** The first ports are USB 2, the rest USB 3: some drivers want both. Everything plugged in is high speed. */
export const USB2_PORTS = 6;
export const PORTS = 8;

export const USBCMD = { RUN: 1, RESET: 2, INTERRUPTS: 4, WRITABLE: 0xf0d } as const;
export const USBSTS = { HALTED: 1, ERROR: 4, EVENT: 8, PORT_CHANGE: 0x10, CLEARABLE: 0x41c } as const;
export const IMAN = { PENDING: 1, ENABLE: 2 } as const;
export const ERDP_BUSY = 8;
export const CRCR = { CYCLE: 1, STOP: 2, ABORT: 4, RUNNING: 8 } as const;

export const PORTSC = {
  CONNECTED: 1,
  ENABLED: 2,
  RESET: 0x10,
  LINK_SHIFT: 5,
  LINK_MASK: 0x1e0,
  POWER: 0x200,
  SPEED_SHIFT: 10,
  LINK_STROBE: 0x1_0000,
  CONNECT_CHANGE: 0x2_0000,
  ENABLE_CHANGE: 0x4_0000,
  RESET_CHANGE: 0x20_0000,
  LINK_CHANGE: 0x40_0000,
  CHANGES: 0xfe_0000,
  WAKE_BITS: 0xe00_0000,
} as const;
export const LINK = { U0: 0, U3: 3, RX_DETECT: 5, POLLING: 7, RESUME: 15 } as const;
export const HIGH_SPEED = 3;

/** TRB types (6.4.6). */
export const TRB = {
  NORMAL: 1,
  SETUP: 2,
  DATA: 3,
  STATUS: 4,
  LINK: 6,
  EVENT_DATA: 7,
  NO_OP: 8,
  ENABLE_SLOT: 9,
  DISABLE_SLOT: 10,
  ADDRESS_DEVICE: 11,
  CONFIGURE_ENDPOINT: 12,
  EVALUATE_CONTEXT: 13,
  RESET_ENDPOINT: 14,
  STOP_ENDPOINT: 15,
  SET_DEQUEUE: 16,
  RESET_DEVICE: 17,
  NO_OP_COMMAND: 23,
  TRANSFER_EVENT: 32,
  COMMAND_COMPLETION: 33,
  PORT_CHANGE: 34,
} as const;
export const TRB_BYTES = 16;
export const TRB_BITS = {
  CYCLE: 1,
  /** In a link. */
  TOGGLE: 2,
  SHORT_INTERRUPT: 4,
  CHAIN: 0x10,
  INTERRUPT: 0x20,
  IMMEDIATE: 0x40,
  /** In ADDRESS DEVICE: no SET_ADDRESS. In CONFIGURE ENDPOINT: no configuration. */
  BLOCK: 0x200,
  IN: 0x1_0000,
  EVENT_DATA: 4,
} as const;

/** Completion codes (6.4.5). */
export const CC = {
  SUCCESS: 1,
  DATA_BUFFER_ERROR: 2,
  TRB_ERROR: 5,
  STALL: 6,
  NO_SLOTS: 9,
  SLOT_NOT_ENABLED: 11,
  SHORT_PACKET: 13,
  PARAMETER_ERROR: 17,
  CONTEXT_STATE_ERROR: 19,
} as const;

/** Endpoint states (6.2.3) and slot states (6.2.2). */
export const EP_STATE = { DISABLED: 0, RUNNING: 1, HALTED: 2, STOPPED: 3 } as const;
export const SLOT_STATE = { DEFAULT: 1, ADDRESSED: 2, CONFIGURED: 3 } as const;
/** Endpoint types. */
export const EP_TYPE = { BULK_OUT: 2, INTERRUPT_OUT: 3, CONTROL: 4, BULK_IN: 6, INTERRUPT_IN: 7 } as const;
export const CONTEXT_BYTES = 32;
/** Of a device: slot and 31 endpoints. */
export const ENDPOINTS = 31;
