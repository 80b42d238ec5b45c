// The codec on the HDA link (HDA specification 7): an audio function group with one converter for stereo and one line output.
//
//   node 0 root --> node 1 function group --> node 2 converter --> node 3 pin "line out"
import { z } from "zod";
import type { Gain, PcmFormat } from "../sound/pcm.ts";
import { arrayOf, u8, u16 } from "../state-schema.ts";

const NODE = { ROOT: 0, GROUP: 1, CONVERTER: 2, PIN: 3 } as const;

/** Verbs with eight bits of payload (7.3.3). */
const VERB = {
  GET_PARAMETER: 0xf00,
  GET_CONNECTION: 0xf01,
  GET_CONNECTIONS: 0xf02,
  GET_POWER: 0xf05,
  SET_POWER: 0x705,
  GET_STREAM: 0xf06,
  SET_STREAM: 0x706,
  GET_PIN_CONTROL: 0xf07,
  SET_PIN_CONTROL: 0x707,
  GET_PIN_SENSE: 0xf09,
  GET_CONFIGURATION: 0xf1c,
  GET_SUBSYSTEM: 0xf20,
  RESET: 0x7ff,
} as const;
/** Verbs with sixteen. */
const WIDE_VERB = { SET_FORMAT: 0x2, SET_AMPLIFIER: 0x3, GET_FORMAT: 0xa, GET_AMPLIFIER: 0xb } as const;

const PARAMETER = {
  VENDOR: 0x00,
  REVISION: 0x02,
  NODES: 0x04,
  GROUP_TYPE: 0x05,
  WIDGET: 0x09,
  PCM: 0x0a,
  STREAM_FORMATS: 0x0b,
  PIN: 0x0c,
  CONNECTIONS: 0x0e,
  POWER_STATES: 0x0f,
  OUTPUT_AMPLIFIER: 0x12,
} as const;

/** Vendor 5452h is nobody's; drivers take the codec for what its parameters say. */
const CODEC_ID = 0x5452_0001;
const AUDIO_GROUP = 1;
/** Steps of 1 dB, from -74 dB to 0 dB at the last one. */
const AMPLIFIER_STEPS = 0x4a;
const AMPLIFIER_MUTE = 0x80;

/** By node and parameter; everything else is 0. */
const PARAMETERS: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  [NODE.ROOT]: {
    [PARAMETER.VENDOR]: CODEC_ID,
    [PARAMETER.REVISION]: 0x100101,
    [PARAMETER.NODES]: (NODE.GROUP << 16) | 1,
  },
  [NODE.GROUP]: {
    [PARAMETER.GROUP_TYPE]: AUDIO_GROUP,
    [PARAMETER.NODES]: (NODE.CONVERTER << 16) | 2,
    // D0 and D3.
    [PARAMETER.POWER_STATES]: 0x9,
  },
  [NODE.CONVERTER]: {
    // Audio output: stereo, output amplifier with parameters of its own, formats of its own.
    [PARAMETER.WIDGET]: 0x1d,
    // 16 bits at 44.1 and 48 kHz.
    [PARAMETER.PCM]: 0x0002_0060,
    [PARAMETER.STREAM_FORMATS]: 1,
    [PARAMETER.OUTPUT_AMPLIFIER]: 0x8003_0000 + (AMPLIFIER_STEPS << 8) + AMPLIFIER_STEPS,
  },
  [NODE.PIN]: {
    // Pin complex: stereo, with a list of connections.
    [PARAMETER.WIDGET]: 0x0040_0101,
    [PARAMETER.PIN]: 0x10,
    [PARAMETER.CONNECTIONS]: 1,
  },
};

/** A green line output at the back, association 1, whose plug is not sensed. */
const PIN_CONFIGURATION = 0x0101_4110;
const PIN_SENSE_PLUGGED = 0x8000_0000;

export const codecStateSchema = z.strictObject({
  power: u8,
  stream: u8,
  format: u16,
  amplifier: arrayOf(u8, 2),
  pinControl: u8,
});
type CodecState = z.infer<typeof codecStateSchema>;

export class Codec {
  #power = 0;
  /** Of the converter: stream in the upper four bits, first channel in the lower. */
  #stream = 0;
  #format = 0;
  /** Left and right. */
  #amplifier: [number, number] = [0, 0];
  #pinControl = 0;

  constructor() {
    this.reset();
  }

  /** The stream that the converter plays; 0 is none. */
  get streamTag(): number {
    return this.#stream >> 4;
  }

  get gain(): Gain {
    const factor = (value: number) =>
      (value & AMPLIFIER_MUTE) !== 0 ? 0 : 10 ** ((Math.min(value & 0x7f, AMPLIFIER_STEPS) - AMPLIFIER_STEPS) / 20);
    return [factor(this.#amplifier[0]), factor(this.#amplifier[1])];
  }

  reset(): void {
    this.#power = 0;
    this.#stream = 0;
    this.#format = 0;
    this.#amplifier = [AMPLIFIER_STEPS, AMPLIFIER_STEPS];
    this.#pinControl = 0x40;
  }

  /** A command of 20 bits to a node, and its response. */
  execute(node: number, command: number): number {
    switch (command >> 16) {
      case WIDE_VERB.SET_FORMAT:
        if (node === NODE.CONVERTER) this.#format = command & 0xffff;
        return 0;
      case WIDE_VERB.GET_FORMAT:
        return node === NODE.CONVERTER ? this.#format : 0;
      case WIDE_VERB.SET_AMPLIFIER:
        if (node === NODE.CONVERTER) this.#setAmplifier(command & 0xffff);
        return 0;
      case WIDE_VERB.GET_AMPLIFIER:
        // Bit 15 output, bit 13 left.
        if (node !== NODE.CONVERTER || (command & 0x8000) === 0) return 0;
        return this.#amplifier[(command & 0x2000) !== 0 ? 0 : 1];
      default:
        return this.#short(node, command >> 8, command & 0xff);
    }
  }

  save(): CodecState {
    return {
      ...{ power: this.#power, stream: this.#stream, format: this.#format },
      ...{ amplifier: [...this.#amplifier], pinControl: this.#pinControl },
    };
  }

  restore(state: CodecState): void {
    this.#power = state.power;
    this.#stream = state.stream;
    this.#format = state.format;
    this.#amplifier = [state.amplifier[0] ?? 0, state.amplifier[1] ?? 0];
    this.#pinControl = state.pinControl;
  }

  #short(node: number, verb: number, payload: number): number {
    switch (verb) {
      case VERB.GET_PARAMETER:
        return PARAMETERS[node]?.[payload] ?? 0;
      case VERB.GET_CONNECTIONS:
        return node === NODE.PIN && payload === 0 ? NODE.CONVERTER : 0;
      case VERB.GET_POWER:
        // The actual state is the one that was set.
        return this.#power | (this.#power << 4);
      case VERB.SET_POWER:
        if (node === NODE.GROUP) this.#power = payload & 0xf;
        return 0;
      case VERB.GET_STREAM:
        return node === NODE.CONVERTER ? this.#stream : 0;
      case VERB.SET_STREAM:
        if (node === NODE.CONVERTER) this.#stream = payload;
        return 0;
      case VERB.GET_PIN_CONTROL:
        return node === NODE.PIN ? this.#pinControl : 0;
      case VERB.SET_PIN_CONTROL:
        if (node === NODE.PIN) this.#pinControl = payload;
        return 0;
      case VERB.GET_PIN_SENSE:
        return node === NODE.PIN ? PIN_SENSE_PLUGGED : 0;
      case VERB.GET_CONFIGURATION:
        return node === NODE.PIN ? PIN_CONFIGURATION : 0;
      case VERB.GET_SUBSYSTEM:
        return node === NODE.GROUP ? CODEC_ID : 0;
      case VERB.RESET:
        if (node === NODE.GROUP) this.reset();
        return 0;
      default:
        return 0;
    }
  }

  /** Bit 15 sets the output, 13 left, 12 right, 7 mutes. */
  #setAmplifier(payload: number): void {
    if ((payload & 0x8000) === 0) return;
    if ((payload & 0x2000) !== 0) this.#amplifier[0] = payload & 0xff;
    if ((payload & 0x1000) !== 0) this.#amplifier[1] = payload & 0xff;
  }
}

/** What a stream's FMT register says (3.3.41): base rate, multiple, divisor, bits, channels. */
export function pcmFormat(fmt: number): PcmFormat {
  const base = (fmt & 0x4000) !== 0 ? 44100 : 48000;
  const rate = (base * (Math.min((fmt >> 11) & 7, 3) + 1)) / (((fmt >> 8) & 7) + 1);
  const bits = (fmt >> 4) & 7;
  return { rate: Math.round(rate), channels: (fmt & 0xf) + 1, sampleBytes: bits === 0 ? 1 : bits === 1 ? 2 : 4 };
}
