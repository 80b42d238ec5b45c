// An EDID 1.4 block (VESA E-EDID) that describes a monitor whose preferred mode is the one asked for.

const EDID_BYTES = 128;

/** Manufacturer ID: three letters of five bits, "TRM". */
const MANUFACTURER = (20 << 10) | (18 << 5) | 13;

/** Dots per inch that the physical size is made up from. */
const DPI = 96;

export function buildEdid(width: number, height: number): Uint8Array {
  const edid = new Uint8Array(EDID_BYTES);
  const view = new DataView(edid.buffer);
  edid.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  view.setUint16(8, MANUFACTURER, false);
  view.setUint16(10, 1, true);
  // Model year instead of week of manufacture, EDID 1.4.
  edid.set([0xff, 36, 1, 4], 16);
  const millimetres = (pixels: number) => Math.round((pixels * 25.4) / DPI);
  // Digital input with 8 bits a colour; size in centimetres; gamma 2.2; RGB 4:4:4, sRGB, preferred timing is native.
  edid.set([0xa5, Math.round(millimetres(width) / 10), Math.round(millimetres(height) / 10), 120, 0x06], 20);
  // sRGB chromaticities.
  edid.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // Established timings: 640x480, 800x600 and 1024x768 at 60 Hz.
  edid.set([0x21, 0x08, 0x00], 35);
  edid.fill(0x01, 38, 54);
  edid.set(detailedTiming(width, height, millimetres(width), millimetres(height)), 54);
  edid.set(textDescriptor(0xfc, "Terrarium"), 72);
  // Range limits: 40-75 Hz, 15-160 kHz, 600 MHz.
  edid.set([0, 0, 0, 0xfd, 0, 40, 75, 15, 160, 60, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  edid.set(textDescriptor(0xfe, ""), 108);
  let sum = 0;
  for (const byte of edid) sum += byte;
  edid[127] = -sum & 0xff;
  return edid;
}

/** Reduced blanking at 60 Hz; nothing scans this picture, so only the active size matters. */
function detailedTiming(width: number, height: number, widthMm: number, heightMm: number): number[] {
  const hBlank = 160;
  const vBlank = Math.max(12, Math.round(height * 0.03));
  const clock10kHz = Math.round(((width + hBlank) * (height + vBlank) * 60) / 10_000);
  const [hFront, hSync, vFront, vSync] = [48, 32, 3, 5];
  return [
    clock10kHz & 0xff,
    clock10kHz >> 8,
    width & 0xff,
    hBlank & 0xff,
    ((width >> 8) << 4) | (hBlank >> 8),
    height & 0xff,
    vBlank & 0xff,
    ((height >> 8) << 4) | (vBlank >> 8),
    hFront,
    hSync,
    (vFront << 4) | vSync,
    0,
    widthMm & 0xff,
    heightMm & 0xff,
    ((widthMm >> 8) << 4) | (heightMm >> 8),
    0,
    0,
    0x1e,
  ];
}

function textDescriptor(tag: number, text: string): Uint8Array {
  const descriptor = new Uint8Array(18).fill(0x20);
  descriptor.set([0, 0, 0, tag, 0]);
  descriptor.set(new TextEncoder().encode(`${text}\n`).subarray(0, 13), 5);
  return descriptor;
}
