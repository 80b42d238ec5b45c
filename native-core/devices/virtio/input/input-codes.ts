// Event types and codes that virtio-input shares with Linux (virtio 1.2 5.8.1; linux/input-event-codes.h), and its configuration selectors.

export const EV = { SYN: 0x00, KEY: 0x01, REL: 0x02, ABS: 0x03, LED: 0x11, REP: 0x14 } as const;
export const ABS = { X: 0, Y: 1 } as const;
export const REL = { WHEEL: 8 } as const;
export const BTN = { LEFT: 0x110, RIGHT: 0x111, MIDDLE: 0x112 } as const;
export const LED = { NUM_LOCK: 0, CAPS_LOCK: 1, SCROLL_LOCK: 2 } as const;
export const REP = { DELAY: 0, PERIOD: 1 } as const;

/** virtio 1.2 5.8.4. */
export const INPUT_CONFIG = { ID_NAME: 0x01, ID_DEVIDS: 0x03, EV_BITS: 0x11, ABS_INFO: 0x12 } as const;

/** Codes as the driver reads them: bit n of the bytes stands for code n, without trailing zero bytes. */
export function bitmap(codes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array((Math.max(...codes) >> 3) + 1);
  for (const code of codes) bytes[code >> 3] = (bytes[code >> 3] ?? 0) | (1 << (code & 7));
  return bytes;
}
