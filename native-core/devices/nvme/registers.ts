// Numbers of NVM Express 1.4, in the specification's words: controller registers (3.1), commands (5, 6) and status codes (4.6.1.2).

export const REGISTER = {
  CAP: 0x00,
  CAP_HIGH: 0x04,
  VS: 0x08,
  INTMS: 0x0c,
  INTMC: 0x10,
  CC: 0x14,
  CSTS: 0x1c,
  AQA: 0x24,
  ASQ: 0x28,
  ASQ_HIGH: 0x2c,
  ACQ: 0x30,
  ACQ_HIGH: 0x34,
  DOORBELLS: 0x1000,
} as const;

export const VERSION_1_4 = 0x0001_0400;
/** Entries of an I/O queue, at most. */
export const QUEUE_ENTRIES_MAX = 1024;
/** 3.1.1: entries - 1, queues contiguous, ready within 10 s (in 500 ms). */
export const CAP_LOW = (QUEUE_ENTRIES_MAX - 1) | (1 << 16) | (20 << 24);
/** NVM command set; pages of 4 KiB only; doorbells 4 bytes apart. */
export const CAP_HIGH = 1 << 5;

export const CC = { ENABLE: 1, PAGE_SIZE: 0xf << 7, SHUTDOWN: 3 << 14 } as const;
export const CSTS = { READY: 1, FATAL: 2, SHUTDOWN_DONE: 2 << 2 } as const;

export const ADMIN = {
  DELETE_SQ: 0x00,
  CREATE_SQ: 0x01,
  GET_LOG_PAGE: 0x02,
  DELETE_CQ: 0x04,
  CREATE_CQ: 0x05,
  IDENTIFY: 0x06,
  ABORT: 0x08,
  SET_FEATURES: 0x09,
  GET_FEATURES: 0x0a,
  ASYNC_EVENT_REQUEST: 0x0c,
} as const;

export const IO = { FLUSH: 0x00, WRITE: 0x01, READ: 0x02, WRITE_ZEROES: 0x08, DATASET_MANAGEMENT: 0x09 } as const;

/** Status code type in bits 10..8, status code in bits 7..0. */
export const STATUS = {
  SUCCESS: 0x000,
  INVALID_OPCODE: 0x001,
  INVALID_FIELD: 0x002,
  DATA_TRANSFER_ERROR: 0x004,
  INVALID_NAMESPACE: 0x00b,
  SEQUENCE_ERROR: 0x00c,
  PRP_OFFSET_INVALID: 0x013,
  LBA_OUT_OF_RANGE: 0x080,
  COMPLETION_QUEUE_INVALID: 0x100,
  INVALID_QUEUE_IDENTIFIER: 0x101,
  INVALID_QUEUE_SIZE: 0x102,
  ASYNC_EVENT_LIMIT: 0x105,
  INVALID_INTERRUPT_VECTOR: 0x108,
  INVALID_LOG_PAGE: 0x109,
  INVALID_QUEUE_DELETION: 0x10c,
  WRITE_TO_READ_ONLY: 0x182,
  WRITE_FAULT: 0x280,
  UNRECOVERED_READ_ERROR: 0x281,
} as const;

/** 5.21.1: features whose value is kept and given back. */
export const FEATURE = {
  ARBITRATION: 0x01,
  POWER_MANAGEMENT: 0x02,
  TEMPERATURE_THRESHOLD: 0x04,
  ERROR_RECOVERY: 0x05,
  VOLATILE_WRITE_CACHE: 0x06,
  NUMBER_OF_QUEUES: 0x07,
  INTERRUPT_COALESCING: 0x08,
  INTERRUPT_VECTOR: 0x09,
  WRITE_ATOMICITY: 0x0a,
  ASYNC_EVENTS: 0x0b,
} as const;

export const SUBMISSION_BYTES = 64;
export const COMPLETION_BYTES = 16;
/** I/O queues of each kind that a guest may make. */
export const IO_QUEUES = 8;
export const ASYNC_EVENT_REQUESTS_MAX = 4;
export const PAGE_BYTES = 4096;
/** MDTS: a command moves at most 2^9 pages, 2 MiB. */
export const MDTS = 9;
export const TRANSFER_MAX_BYTES = PAGE_BYTES << MDTS;
export const LBA_BYTES = 512;
