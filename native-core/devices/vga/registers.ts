// The VGA's register file behind ports 3B0h-3DFh, one byte at a time: sequencer, graphics controller, CRTC, attribute controller, DAC.
// It holds values and the index/data protocol; what the values mean is in geometry.ts, memory-window.ts and the renderers.
import { z } from "zod";
import { bytes, flag, u8, u16 } from "../state-schema.ts";
import {
  ATTR_COUNT,
  ATTR_INDEX_VIDEO_ENABLE,
  CRTC,
  CRTC_COUNT,
  CRTC_PROTECT,
  GC_COUNT,
  MISC_COLOR_PORTS,
  SEQ,
  SEQ_CLOCK_SCREEN_OFF,
  SEQ_COUNT,
} from "./constants.ts";
import { DEFAULT_DAC, TEXT_MODE_3 } from "./text-mode.ts";

export const registersStateSchema = z.object({
  misc: u8,
  featureControl: u8,
  sequencerIndex: u8,
  sequencer: bytes(SEQ_COUNT),
  graphicsIndex: u8,
  graphics: bytes(GC_COUNT),
  crtcIndex: u8,
  crtc: bytes(CRTC_COUNT),
  attributeIndex: u8,
  attributeData: flag,
  attribute: bytes(ATTR_COUNT),
  dacMask: u8,
  dacReading: flag,
  /** Entry * 3 + component of the next access. */
  dacRead: u16.max(767),
  dacWrite: u16.max(767),
  dac: bytes(768),
});
export type RegistersState = z.infer<typeof registersStateSchema>;

/** Writable bits; reserved ones read as zero. */
const SEQUENCER_MASK = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff];
const GRAPHICS_MASK = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];

export class VgaRegisters {
  misc = 0;
  readonly sequencer = new Uint8Array(SEQ_COUNT);
  readonly graphics = new Uint8Array(GC_COUNT);
  readonly crtc = new Uint8Array(CRTC_COUNT);
  readonly attribute = new Uint8Array(ATTR_COUNT);
  readonly dac = new Uint8Array(768);
  dacMask = 0xff;
  /** Components have 8 bits instead of 6 (Bochs VBE). */
  dac8Bit = false;
  /** Counts changes that a picture may depend on. */
  generation = 0;
  #featureControl = 0;
  #sequencerIndex = 0;
  #graphicsIndex = 0;
  #crtcIndex = 0;
  #attributeIndex = 0;
  #attributeData = false;
  #dacReading = false;
  #dacRead = 0;
  #dacWrite = 0;
  readonly #inputStatus1: () => number;

  /** `inputStatus1` yields the retrace bits of port 3DAh. */
  constructor(inputStatus1: () => number) {
    this.#inputStatus1 = inputStatus1;
  }

  /** The picture is switched off: by the sequencer, or while the attribute palette is being loaded. */
  get blanked(): boolean {
    return (
      ((this.sequencer[SEQ.CLOCK] ?? 0) & SEQ_CLOCK_SCREEN_OFF) !== 0 ||
      (this.#attributeIndex & ATTR_INDEX_VIDEO_ENABLE) === 0
    );
  }

  read(port: number): number {
    switch (this.#colorPort(port)) {
      case 0x3c0:
        return this.#attributeData ? 0 : this.#attributeIndex;
      case 0x3c1:
        return this.attribute[this.#attributeIndex & 0x1f] ?? 0;
      case 0x3c2:
        return 0;
      case 0x3c4:
        return this.#sequencerIndex;
      case 0x3c5:
        return this.sequencer[this.#sequencerIndex] ?? 0;
      case 0x3c6:
        return this.dacMask;
      case 0x3c7:
        return this.#dacReading ? 3 : 0;
      case 0x3c8:
        return Math.floor(this.#dacWrite / 3);
      case 0x3c9: {
        const value = this.dac[this.#dacRead] ?? 0;
        this.#dacRead = (this.#dacRead + 1) % 768;
        return value;
      }
      case 0x3ca:
        return this.#featureControl;
      case 0x3cc:
        return this.misc;
      case 0x3ce:
        return this.#graphicsIndex;
      case 0x3cf:
        return this.graphics[this.#graphicsIndex] ?? 0;
      case 0x3d4:
        return this.#crtcIndex;
      case 0x3d5:
        return this.crtc[this.#crtcIndex] ?? 0;
      case 0x3da:
        this.#attributeData = false;
        return this.#inputStatus1();
      default:
        return 0xff;
    }
  }

  write(port: number, value: number): void {
    switch (this.#colorPort(port)) {
      case 0x3c0:
        this.#writeAttribute(value);
        return;
      case 0x3c2:
        this.misc = value & ~0x10;
        this.generation++;
        return;
      case 0x3c4:
        this.#sequencerIndex = value & 7;
        return;
      case 0x3c5:
        this.sequencer[this.#sequencerIndex] = value & (SEQUENCER_MASK[this.#sequencerIndex] ?? 0);
        this.generation++;
        return;
      case 0x3c6:
        this.dacMask = value;
        this.generation++;
        return;
      case 0x3c7:
        this.#dacRead = value * 3;
        this.#dacReading = true;
        return;
      case 0x3c8:
        this.#dacWrite = value * 3;
        this.#dacReading = false;
        return;
      case 0x3c9:
        this.dac[this.#dacWrite] = this.dac8Bit ? value : value & 0x3f;
        this.#dacWrite = (this.#dacWrite + 1) % 768;
        this.generation++;
        return;
      case 0x3ce:
        this.#graphicsIndex = value & 0x0f;
        return;
      case 0x3cf:
        this.graphics[this.#graphicsIndex] = value & (GRAPHICS_MASK[this.#graphicsIndex] ?? 0);
        this.generation++;
        return;
      case 0x3d4:
        this.#crtcIndex = value & 0x1f;
        return;
      case 0x3d5:
        this.#writeCrtc(value);
        return;
      case 0x3da:
        this.#featureControl = value & 0x10;
        return;
    }
  }

  /** The state a VGA BIOS leaves behind: mode 3, 80x25 text. A directly booted kernel finds a working console. */
  reset(): void {
    this.misc = TEXT_MODE_3.misc;
    this.sequencer.fill(0);
    this.sequencer.set(TEXT_MODE_3.sequencer);
    this.graphics.fill(0);
    this.graphics.set(TEXT_MODE_3.graphics);
    this.crtc.fill(0);
    this.crtc.set(TEXT_MODE_3.crtc);
    this.attribute.fill(0);
    this.attribute.set(TEXT_MODE_3.attribute);
    this.dac.set(DEFAULT_DAC);
    this.dacMask = 0xff;
    this.dac8Bit = false;
    this.#featureControl = 0;
    this.#sequencerIndex = 0;
    this.#graphicsIndex = 0;
    this.#crtcIndex = 0;
    this.#attributeIndex = ATTR_INDEX_VIDEO_ENABLE;
    this.#attributeData = false;
    this.#dacReading = false;
    this.#dacRead = 0;
    this.#dacWrite = 0;
    this.generation++;
  }

  save(): RegistersState {
    return {
      misc: this.misc,
      featureControl: this.#featureControl,
      sequencerIndex: this.#sequencerIndex,
      sequencer: this.sequencer.slice(),
      graphicsIndex: this.#graphicsIndex,
      graphics: this.graphics.slice(),
      crtcIndex: this.#crtcIndex,
      crtc: this.crtc.slice(),
      attributeIndex: this.#attributeIndex,
      attributeData: this.#attributeData,
      attribute: this.attribute.slice(),
      dacMask: this.dacMask,
      dacReading: this.#dacReading,
      dacRead: this.#dacRead,
      dacWrite: this.#dacWrite,
      dac: this.dac.slice(),
    };
  }

  restore(state: RegistersState): void {
    this.misc = state.misc;
    this.#featureControl = state.featureControl;
    this.#sequencerIndex = state.sequencerIndex & 7;
    this.sequencer.set(state.sequencer);
    this.#graphicsIndex = state.graphicsIndex & 0x0f;
    this.graphics.set(state.graphics);
    this.#crtcIndex = state.crtcIndex & 0x1f;
    this.crtc.set(state.crtc);
    this.#attributeIndex = state.attributeIndex & 0x3f;
    this.#attributeData = state.attributeData;
    this.attribute.set(state.attribute);
    this.dacMask = state.dacMask;
    this.#dacReading = state.dacReading;
    this.#dacRead = state.dacRead;
    this.#dacWrite = state.dacWrite;
    this.dac.set(state.dac);
    this.generation++;
  }

  /** CRTC and status answer at 3Bxh or 3Dxh as the miscellaneous register says; yields the colour address, or 0 for nobody. */
  #colorPort(port: number): number {
    const color = (this.misc & MISC_COLOR_PORTS) !== 0;
    if (port >= 0x3d0) return color ? port : 0;
    if (port < 0x3c0) return color ? 0 : port + 0x20;
    return port;
  }

  #writeAttribute(value: number): void {
    if (!this.#attributeData) {
      this.#attributeIndex = value & 0x3f;
    } else {
      const index = this.#attributeIndex & 0x1f;
      this.attribute[index] = index < 0x10 ? value & 0x3f : value;
    }
    this.#attributeData = !this.#attributeData;
    this.generation++;
  }

  #writeCrtc(value: number): void {
    const index = this.#crtcIndex;
    if (index <= CRTC.OVERFLOW && (this.crtc[CRTC.V_RETRACE_END] ?? 0) & CRTC_PROTECT) {
      // Of the protected registers only the line compare bit stays writable.
      if (index !== CRTC.OVERFLOW) return;
      value = ((this.crtc[index] ?? 0) & ~0x10) | (value & 0x10);
    }
    this.crtc[index] = value;
    this.generation++;
  }
}
