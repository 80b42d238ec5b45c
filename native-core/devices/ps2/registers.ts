// Intel 8042 keyboard controller of the PC/AT, and the PS/2 protocol of keyboard and mouse
// (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller").

export const PS2_DATA_PORT = 0x60;
export const PS2_COMMAND_PORT = 0x64;
export const PS2_KEYBOARD_IRQ = 1;
export const PS2_MOUSE_IRQ = 12;

export const PS2_STATUS = {
  OUTPUT_FULL: 0x01,
  SYSTEM: 0x04,
  COMMAND: 0x08,
  UNLOCKED: 0x10,
  MOUSE_DATA: 0x20,
} as const;

/** Configuration byte (controller RAM byte 0). */
export const PS2_CONFIG = {
  KEYBOARD_IRQ: 0x01,
  MOUSE_IRQ: 0x02,
  SYSTEM: 0x04,
  KEYBOARD_OFF: 0x10,
  MOUSE_OFF: 0x20,
  TRANSLATE: 0x40,
} as const;

export const PS2_COMMAND = {
  READ_CONFIG: 0x20,
  WRITE_CONFIG: 0x60,
  MOUSE_OFF: 0xa7,
  MOUSE_ON: 0xa8,
  MOUSE_TEST: 0xa9,
  SELF_TEST: 0xaa,
  KEYBOARD_TEST: 0xab,
  KEYBOARD_OFF: 0xad,
  KEYBOARD_ON: 0xae,
  READ_INPUT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  WRITE_KEYBOARD_OUTPUT: 0xd2,
  WRITE_MOUSE_OUTPUT: 0xd3,
  WRITE_MOUSE: 0xd4,
  /** Not of the 8042 but of most chipsets since. */
  A20_OFF: 0xdd,
  A20_ON: 0xdf,
  /** 0xF0..0xFF pulse the output port bits that are 0 in the command; bit 0 is the reset line. */
  PULSE: 0xf0,
} as const;

export const OUTPUT_PORT = { NOT_RESET: 0x01, A20: 0x02 } as const;

export const PS2_ACK = 0xfa;
export const PS2_RESEND = 0xfe;
export const PS2_SELF_TEST_PASSED = 0xaa;

export const KEYBOARD_COMMAND = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_CODE_SET: 0xf0,
  IDENTIFY: 0xf2,
  SET_TYPEMATIC: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

export const MOUSE_COMMAND = {
  SCALING_1_1: 0xe6,
  SCALING_2_1: 0xe7,
  SET_RESOLUTION: 0xe8,
  STATUS: 0xe9,
  STREAM_MODE: 0xea,
  READ_DATA: 0xeb,
  RESET_WRAP: 0xec,
  WRAP_MODE: 0xee,
  REMOTE_MODE: 0xf0,
  IDENTIFY: 0xf2,
  SET_SAMPLE_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;
