// SCSI commands and sense codes of disks and CD/DVD drives (SPC-4, SBC-3, MMC-5, SFF-8020i).

export const SCSI = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  READ_6: 0x08,
  WRITE_6: 0x0a,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  START_STOP_UNIT: 0x1b,
  PREVENT_ALLOW_REMOVAL: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  WRITE_10: 0x2a,
  SEEK_10: 0x2b,
  VERIFY_10: 0x2f,
  SYNCHRONIZE_CACHE: 0x35,
  WRITE_SAME_10: 0x41,
  READ_SUB_CHANNEL: 0x42,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS: 0x4a,
  READ_DISC_INFORMATION: 0x51,
  MODE_SENSE_10: 0x5a,
  READ_16: 0x88,
  WRITE_16: 0x8a,
  VERIFY_16: 0x8f,
  SYNCHRONIZE_CACHE_16: 0x91,
  WRITE_SAME_16: 0x93,
  SERVICE_ACTION_IN_16: 0x9e,
  REPORT_LUNS: 0xa0,
  READ_12: 0xa8,
  WRITE_12: 0xaa,
  SET_CD_SPEED: 0xbb,
  MECHANISM_STATUS: 0xbd,
  READ_CD: 0xbe,
} as const;

/** Sense key, additional sense code and its qualifier. */
export type Sense = readonly [key: number, code: number, qualifier: number];

export const SENSE = {
  NONE: [0x0, 0x00, 0x00],
  NO_MEDIUM_TRAY_CLOSED: [0x2, 0x3a, 0x01],
  NO_MEDIUM_TRAY_OPEN: [0x2, 0x3a, 0x02],
  WRITE_FAULT: [0x3, 0x0c, 0x00],
  UNRECOVERED_READ: [0x3, 0x11, 0x00],
  PARAMETER_LIST_LENGTH: [0x5, 0x1a, 0x00],
  INVALID_COMMAND: [0x5, 0x20, 0x00],
  BLOCK_OUT_OF_RANGE: [0x5, 0x21, 0x00],
  INVALID_FIELD: [0x5, 0x24, 0x00],
  NO_SUCH_UNIT: [0x5, 0x25, 0x00],
  INVALID_PARAMETER: [0x5, 0x26, 0x00],
  REMOVAL_PREVENTED: [0x5, 0x53, 0x02],
  MEDIUM_CHANGED: [0x6, 0x28, 0x00],
  POWER_ON: [0x6, 0x29, 0x00],
  WRITE_PROTECTED: [0x7, 0x27, 0x00],
} as const satisfies Record<string, Sense>;

export const CD_BLOCK_BYTES = 2048;

/** Fixed format (SPC-4 4.5.3). */
export function senseData([key, code, qualifier]: Sense): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes.set([0x70, 0, key, 0, 0, 0, 0, 10]);
  bytes.set([code, qualifier], 12);
  return bytes;
}
