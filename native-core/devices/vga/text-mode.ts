// Register values of mode 3 (80x25 text, 720x400) and the default palette, as a VGA BIOS would program them.

export const TEXT_MODE_3 = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff],
  crtc: [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f,
    0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
  ],
  attribute: [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f,
    0x08, 0x00,
  ],
} as const;

export const TEXT_COLUMNS = 80;
export const TEXT_ROWS = 25;

/** 256 entries of three 6-bit components. The first 64 decode the EGA's rgbRGB bits, which text modes use. */
export const DEFAULT_DAC: Uint8Array = buildDac();

function buildDac(): Uint8Array {
  const dac = new Uint8Array(768);
  const put = (entry: number, red: number, green: number, blue: number) => dac.set([red, green, blue], entry * 3);
  for (let entry = 0; entry < 64; entry++) {
    // Bits 2..0 weigh two thirds, bits 5..3 one third.
    const level = (strong: number, weak: number) => ((entry >> strong) & 1) * 42 + ((entry >> weak) & 1) * 21;
    put(entry, level(2, 5), level(1, 4), level(0, 3));
  }
  // The rest is loaded by whoever sets a 256-colour mode; until then, a ramp of greys.
  for (let entry = 64; entry < 256; entry++) {
    const grey = Math.round(((entry - 64) / 191) * 63);
    put(entry, grey, grey, grey);
  }
  return dac;
}
