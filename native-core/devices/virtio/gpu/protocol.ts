// Numbers and layouts of virtio-gpu's 2D protocol (virtio 1.2 5.7), in the specification's spelling.

export const VIRTIO_GPU_F_EDID = 1n << 1n;

export const GPU_CMD = {
  GET_DISPLAY_INFO: 0x100,
  RESOURCE_CREATE_2D: 0x101,
  RESOURCE_UNREF: 0x102,
  SET_SCANOUT: 0x103,
  RESOURCE_FLUSH: 0x104,
  TRANSFER_TO_HOST_2D: 0x105,
  RESOURCE_ATTACH_BACKING: 0x106,
  RESOURCE_DETACH_BACKING: 0x107,
  GET_EDID: 0x10a,
  UPDATE_CURSOR: 0x300,
  MOVE_CURSOR: 0x301,
} as const;

export const GPU_RESP = {
  OK_NODATA: 0x1100,
  OK_DISPLAY_INFO: 0x1101,
  OK_EDID: 0x1104,
  ERR_UNSPEC: 0x1200,
  ERR_OUT_OF_MEMORY: 0x1201,
  ERR_INVALID_SCANOUT_ID: 0x1202,
  ERR_INVALID_RESOURCE_ID: 0x1203,
  ERR_INVALID_PARAMETER: 0x1205,
} as const;

/** struct virtio_gpu_ctrl_hdr: type:u32 flags:u32 fence_id:u64 ctx_id:u32 ring_idx:u8 padding:u8[3]. */
export const HEADER_BYTES = 24;
export const GPU_FLAG_FENCE = 1;

/** Configuration space: events_read, events_clear, num_scanouts, num_capsets. */
export const GPU_CONFIG = { EVENTS_READ: 0, EVENTS_CLEAR: 4, SCANOUTS: 8, LENGTH: 16 } as const;
export const GPU_EVENT_DISPLAY = 1;

/** The response to GET_DISPLAY_INFO has room for as many, whatever num_scanouts says. */
export const MAX_SCANOUTS = 16;
export const SCANOUT_BYTES = 24;
export const EDID_ROOM = 1024;

/** Which byte of a pixel in memory is which: shifts within the little-endian word. */
export interface PixelLayout {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  /** Undefined: the byte means nothing, the pixel is opaque. */
  readonly alpha: number | undefined;
}

/** By number of the format (virtio 1.2 5.7.6.8, names read in order of bytes). */
export const FORMATS: ReadonlyMap<number, PixelLayout> = new Map([
  [1, { blue: 0, green: 8, red: 16, alpha: 24 }],
  [2, { blue: 0, green: 8, red: 16, alpha: undefined }],
  [3, { alpha: 0, red: 8, green: 16, blue: 24 }],
  [4, { alpha: undefined, red: 8, green: 16, blue: 24 }],
  [67, { red: 0, green: 8, blue: 16, alpha: 24 }],
  [68, { alpha: undefined, blue: 8, green: 16, red: 24 }],
  [121, { alpha: 0, blue: 8, green: 16, red: 24 }],
  [134, { red: 0, green: 8, blue: 16, alpha: undefined }],
]);
