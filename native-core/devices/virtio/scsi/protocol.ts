// virtio-scsi: features, limits, the configuration structure and how requests are laid out (virtio 1.2 5.6).
//
//   request  readable: {lun:u8[8] id:u64 attribute:u8 priority:u8 crn:u8 command[cdb_size]} then data to the disk
//            writable: {sense_len:u32 residual:u32 qualifier:u16 status:u8 response:u8 sense[sense_size]} then data from it
//   control  readable: {type:u32 subtype:u32 lun:u8[8] id:u64}                                     writable: {response:u8}
//            readable: {type:u32 lun:u8[8] events:u32}                                             writable: {events:u32 response:u8}
//   event    writable: {event:u32 lun:u8[8] reason:u32}

export const QUEUE = { CONTROL: 0, EVENT: 1, REQUEST: 2 } as const;
export const REQUEST_QUEUE_SIZE = 256;
export const SIDE_QUEUE_SIZE = 64;
/** Targets 0 to 7 are disks, 8 and above drives. */
export const TARGETS_MAX = 16;

export const VIRTIO_SCSI_F_HOTPLUG = 1n << 1n;

export const RESPONSE = {
  OK: 0,
  OVERRUN: 1,
  BAD_TARGET: 3,
  FAILURE: 9,
  FUNCTION_REJECTED: 11,
  INCORRECT_LUN: 12,
} as const;

export const CONTROL = { TASK_MANAGEMENT: 0, ASYNC_QUERY: 1, ASYNC_SUBSCRIBE: 2 } as const;
/** All of them end the tasks of a unit, or of all of a target's. */
export const TASK_MANAGEMENT = { ABORT_TASK: 0, LOGICAL_UNIT_RESET: 5, NEXUS_RESET: 4, QUERY_TASK_SET: 7 } as const;
export const EVENT = { MISSED: 0x8000_0000, NONE: 0, TRANSPORT_RESET: 1 } as const;
export const RESET_REASON = { RESCAN: 1, REMOVED: 2 } as const;
export const EVENT_BYTES = 16;

/** SAM-5 5.3.1. */
export const STATUS = { GOOD: 0, CHECK_CONDITION: 2 } as const;

/** Data segments of one request: with header and answer it must fit the queue. */
const MAX_SEGMENTS = REQUEST_QUEUE_SIZE - 2;
/** In blocks of 512 bytes: what drivers send at once at most, 16 MiB. */
const MAX_SECTORS = 0x8000;
export const MAX_REQUEST_BYTES = MAX_SECTORS * 512;
/** Requests wait in the ring while this much data is being moved. */
export const MAX_BYTES_IN_FLIGHT = 2 * MAX_REQUEST_BYTES;
const COMMANDS_PER_UNIT = 128;

export const CONFIG_LENGTH = 36;
export const CONFIG = { SENSE_SIZE: 20, CDB_SIZE: 24 } as const;
export const DEFAULT_SENSE_BYTES = 96;
export const DEFAULT_COMMAND_BYTES = 32;
/** Of the two that the driver may choose. */
export const SIZE_MAX_BYTES = 252;

export const REQUEST_HEADER_BYTES = 19;
export const RESPONSE_HEADER_BYTES = 12;

export function scsiConfig(): Uint8Array {
  const config = new Uint8Array(CONFIG_LENGTH);
  const view = new DataView(config.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, MAX_SEGMENTS, true);
  view.setUint32(8, MAX_SECTORS, true);
  view.setUint32(12, COMMANDS_PER_UNIT, true);
  view.setUint32(16, EVENT_BYTES, true);
  view.setUint32(CONFIG.SENSE_SIZE, DEFAULT_SENSE_BYTES, true);
  view.setUint32(CONFIG.CDB_SIZE, DEFAULT_COMMAND_BYTES, true);
  // One channel; units above 0 are asked for, and are not there.
  view.setUint16(28, 0, true);
  view.setUint16(30, TARGETS_MAX - 1, true);
  view.setUint32(32, 0, true);
  return config;
}

/** 5.6.6.1: 1, target, unit in flat space. Undefined for addresses of another form. */
export function parseLun(lun: Uint8Array): { readonly target: number; readonly unit: number } | undefined {
  if (lun[0] !== 1) return undefined;
  return { target: lun[1] as number, unit: (((lun[2] as number) << 8) | (lun[3] as number)) & 0x3fff };
}

export function eventOf(event: number, target: number, reason: number): Uint8Array {
  const bytes = new Uint8Array(EVENT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, event, true);
  bytes.set([1, target], 4);
  view.setUint32(12, reason, true);
  return bytes;
}
