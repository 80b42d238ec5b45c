// Colours: DAC entries and the attribute controller's palette as RGBA pixels.
import { ATTR, ATTR_MODE_PALETTE_SELECT } from "./constants.ts";
import type { VgaRegisters } from "./registers.ts";

export const OPAQUE_BLACK = 0xff00_0000;

/** All 256 DAC entries as 0xAABBGGRR, seen through the pixel mask. */
export function dacColors({ dac, dacMask, dac8Bit }: VgaRegisters): Uint32Array {
  const colors = new Uint32Array(256);
  for (let entry = 0; entry < 256; entry++) {
    const at = (entry & dacMask) * 3;
    const component = (index: number) => {
      const value = dac[at + index] ?? 0;
      // Six bits are widened so that 63 becomes 255.
      return dac8Bit ? value : (value << 2) | (value >> 4);
    };
    colors[entry] = (OPAQUE_BLACK | (component(2) << 16) | (component(1) << 8) | component(0)) >>> 0;
  }
  return colors;
}

/** The sixteen colours of text and planar modes. */
export function attributeColors(registers: VgaRegisters, dacTable: Uint32Array): Uint32Array {
  const { attribute } = registers;
  const colors = new Uint32Array(16);
  const select = attribute[ATTR.COLOR_SELECT] ?? 0;
  for (let index = 0; index < 16; index++) {
    const entry = attribute[index] ?? 0;
    const dacIndex =
      (attribute[ATTR.MODE] ?? 0) & ATTR_MODE_PALETTE_SELECT
        ? (entry & 0x0f) | ((select & 0x0f) << 4)
        : entry | ((select & 0x0c) << 4);
    colors[index] = dacTable[dacIndex] ?? OPAQUE_BLACK;
  }
  return colors;
}
