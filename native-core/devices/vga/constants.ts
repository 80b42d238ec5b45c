// Register indices and bits of the VGA (IBM VGA technical reference; names as in the Linux and FreeVGA documentation).

export const SEQ = { RESET: 0, CLOCK: 1, MAP_MASK: 2, CHARACTER_MAP: 3, MEMORY_MODE: 4 } as const;
export const SEQ_COUNT = 8;
export const SEQ_CLOCK_8_DOTS = 0x01;
export const SEQ_CLOCK_SCREEN_OFF = 0x20;
export const SEQ_MEMORY_ODD_EVEN_OFF = 0x04;
export const SEQ_MEMORY_CHAIN4 = 0x08;

export const GC = {
  SET_RESET: 0,
  ENABLE_SET_RESET: 1,
  COLOR_COMPARE: 2,
  DATA_ROTATE: 3,
  READ_MAP: 4,
  MODE: 5,
  MISC: 6,
  COLOR_DONT_CARE: 7,
  BIT_MASK: 8,
} as const;
export const GC_COUNT = 16;
export const GC_MODE_READ_COMPARE = 0x08;
export const GC_MODE_ODD_EVEN = 0x10;
export const GC_MODE_SHIFT_INTERLEAVE = 0x20;
export const GC_MODE_SHIFT_256 = 0x40;
export const GC_MISC_GRAPHICS = 0x01;

export const CRTC = {
  H_DISPLAY_END: 0x01,
  OVERFLOW: 0x07,
  MAX_SCAN_LINE: 0x09,
  CURSOR_START: 0x0a,
  CURSOR_END: 0x0b,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  V_RETRACE_END: 0x11,
  V_DISPLAY_END: 0x12,
  OFFSET: 0x13,
  MODE: 0x17,
  LINE_COMPARE: 0x18,
} as const;
export const CRTC_COUNT = 32;
export const CRTC_MAX_SCAN_DOUBLE = 0x80;
export const CRTC_CURSOR_OFF = 0x20;
export const CRTC_PROTECT = 0x80;
export const CRTC_MODE_A13_LINEAR = 0x01;
export const CRTC_MODE_A14_LINEAR = 0x02;

export const ATTR = { MODE: 0x10, OVERSCAN: 0x11, PLANE_ENABLE: 0x12, PEL_PANNING: 0x13, COLOR_SELECT: 0x14 } as const;
export const ATTR_COUNT = 32;
export const ATTR_MODE_LINE_GRAPHICS = 0x04;
export const ATTR_MODE_BLINK = 0x08;
export const ATTR_MODE_PALETTE_SELECT = 0x80;
export const ATTR_INDEX_VIDEO_ENABLE = 0x20;

export const MISC_COLOR_PORTS = 0x01;
