// The ATA command set as disks and CD-ROM drives speak it over IDE and SATA (ATA8-ACS, T13/1699-D; ATAPI: SFF-8020i).

export const ATA_COMMAND = {
  NOP: 0x00,
  DATA_SET_MANAGEMENT: 0x06,
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ_SECTORS: 0x20,
  READ_SECTORS_NO_RETRY: 0x21,
  READ_SECTORS_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_NATIVE_MAX_EXT: 0x27,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_NO_RETRY: 0x31,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  WRITE_MULTIPLE_EXT: 0x39,
  WRITE_DMA_FUA_EXT: 0x3d,
  READ_VERIFY: 0x40,
  READ_VERIFY_NO_RETRY: 0x41,
  READ_VERIFY_EXT: 0x42,
  READ_FPDMA_QUEUED: 0x60,
  WRITE_FPDMA_QUEUED: 0x61,
  SEEK: 0x70,
  EXECUTE_DIAGNOSTIC: 0x90,
  INITIALIZE_PARAMETERS: 0x91,
  PACKET: 0xa0,
  IDENTIFY_PACKET: 0xa1,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_NO_RETRY: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_NO_RETRY: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  CHECK_POWER: 0xe5,
  SLEEP: 0xe6,
  FLUSH_CACHE: 0xe7,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY: 0xec,
  SET_FEATURES: 0xef,
  READ_NATIVE_MAX: 0xf8,
} as const;

export const ATA_STATUS = {
  ERROR: 0x01,
  DATA_REQUEST: 0x08,
  SEEK_DONE: 0x10,
  FAULT: 0x20,
  READY: 0x40,
  BUSY: 0x80,
} as const;
export const ATA_ERROR = { ABORTED: 0x04, ID_NOT_FOUND: 0x10, UNCORRECTABLE: 0x40 } as const;
export const ATA_DEVICE = { SECOND: 0x10, LBA: 0x40 } as const;
/** Interrupt reason, in the sector count register of packet devices. */
export const ATAPI_REASON = { COMMAND: 0x01, TO_HOST: 0x02 } as const;

export const SET_FEATURES = { WRITE_CACHE_ON: 0x02, TRANSFER_MODE: 0x03, WRITE_CACHE_OFF: 0x82 } as const;
export const DSM_TRIM = 0x01;

/** Sectors per interrupt of READ/WRITE MULTIPLE, at most. */
export const MULTIPLE_MAX = 16;
export const PACKET_BYTES = 12;

/** Signatures after reset: LBA mid and high. */
export const SIGNATURE = { DISK: [0x00, 0x00], PACKET: [0x14, 0xeb] } as const;
