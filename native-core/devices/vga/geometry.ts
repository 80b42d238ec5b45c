// What the registers make of video memory: text cells, planar or chained pixels, or a linear VBE mode.
// Pure functions of the register file; the renderers need nothing else.
import {
  CRTC,
  CRTC_MAX_SCAN_DOUBLE,
  CRTC_MODE_A13_LINEAR,
  CRTC_MODE_A14_LINEAR,
  GC,
  GC_MODE_SHIFT_256,
  GC_MODE_SHIFT_INTERLEAVE,
  SEQ,
  SEQ_CLOCK_8_DOTS,
} from "./constants.ts";
import { isGraphics } from "./memory-window.ts";
import type { VgaRegisters } from "./registers.ts";
import type { LinearMode } from "./vbe.ts";

export interface TextGeometry {
  readonly kind: "text";
  readonly width: number;
  readonly height: number;
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: 8 | 9;
  readonly cellHeight: number;
  /** First cell and cells from row to row, in cells of video memory. */
  readonly start: number;
  readonly rowCells: number;
}

export interface GraphicsGeometry {
  readonly kind: "planar" | "interleaved" | "packed";
  readonly width: number;
  readonly height: number;
  /** In words of four planes. */
  readonly start: number;
  readonly rowWords: number;
  /** Scan lines of a row that lie in other banks (CGA): 1, 2 or 4. */
  readonly banks: number;
  /** From this line on, memory is shown from its beginning (split screen). */
  readonly splitLine: number;
}

export interface LinearGeometry extends LinearMode {
  readonly kind: "linear";
}

export type Geometry = TextGeometry | GraphicsGeometry | LinearGeometry;

const MAX_COLUMNS = 256;

export function geometry(registers: VgaRegisters, vbe: LinearMode | undefined): Geometry {
  if (vbe && vbe.bitsPerPixel !== 4) return { kind: "linear", ...vbe };
  const { crtc, sequencer, graphics } = registers;
  const reg = (index: number) => crtc[index] ?? 0;
  const overflow = reg(CRTC.OVERFLOW);
  const maxScan = reg(CRTC.MAX_SCAN_LINE);
  const lines = 1 + reg(CRTC.V_DISPLAY_END) + ((overflow & 0x02) << 7) + ((overflow & 0x40) << 3);
  const lineCompare = reg(CRTC.LINE_COMPARE) + ((overflow & 0x10) << 4) + ((maxScan & 0x40) << 3);
  const columns = Math.min(reg(CRTC.H_DISPLAY_END) + 1, MAX_COLUMNS);
  const start = (reg(CRTC.START_HIGH) << 8) | reg(CRTC.START_LOW);
  const rowWords = reg(CRTC.OFFSET) * 2;
  const rowLines = (maxScan & 0x1f) + 1;

  if (vbe) {
    const { width, height, strideBytes, startBytes } = vbe;
    const planar = { start: startBytes >> 2, rowWords: strideBytes >> 2, banks: 1, splitLine: height };
    return { kind: "planar", width, height, ...planar };
  }
  if (!isGraphics(graphics)) {
    const cellWidth = (sequencer[SEQ.CLOCK] ?? 0) & SEQ_CLOCK_8_DOTS ? 8 : 9;
    const rows = Math.max(1, Math.floor(lines / rowLines));
    return {
      kind: "text",
      width: columns * cellWidth,
      height: rows * rowLines,
      columns,
      rows,
      cellWidth,
      cellHeight: rowLines,
      start,
      rowCells: rowWords,
    };
  }
  const doubled = maxScan & CRTC_MAX_SCAN_DOUBLE ? 2 : 1;
  const crtcMode = reg(CRTC.MODE);
  const bankBits = (crtcMode & CRTC_MODE_A13_LINEAR ? 0 : 1) + (crtcMode & CRTC_MODE_A14_LINEAR ? 0 : 1);
  const banks = Math.min(rowLines, 1 << bankBits);
  const repeats = doubled * Math.max(1, Math.floor(rowLines / banks));
  const mode = graphics[GC.MODE] ?? 0;
  const kind = mode & GC_MODE_SHIFT_256 ? "packed" : mode & GC_MODE_SHIFT_INTERLEAVE ? "interleaved" : "planar";
  return {
    kind,
    width: kind === "packed" ? columns * 4 : columns * 8,
    height: Math.max(1, Math.floor(lines / repeats)),
    start,
    rowWords,
    banks,
    splitLine: lineCompare >= lines ? Number.POSITIVE_INFINITY : Math.floor((lineCompare + 1) / repeats),
  };
}
