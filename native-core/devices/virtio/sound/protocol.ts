// Numbers of virtio-snd (virtio 1.2 5.14), in the specification's spelling, and the formats that its stream takes.
import type { PcmFormat } from "../../sound/pcm.ts";

export const SND = {
  JACK_INFO: 1,
  PCM_INFO: 0x100,
  PCM_SET_PARAMS: 0x101,
  PCM_PREPARE: 0x102,
  PCM_RELEASE: 0x103,
  PCM_START: 0x104,
  PCM_STOP: 0x105,
  CHMAP_INFO: 0x200,
} as const;

export const SND_STATUS = { OK: 0x8000, BAD_MSG: 0x8001, NOT_SUPP: 0x8002, IO_ERR: 0x8003 } as const;

export const SND_QUEUE = { CONTROL: 0, EVENT: 1, TX: 2, RX: 3 } as const;
/** Jacks, streams, channel maps. */
export const SND_CONFIG = { STREAMS: 4, LENGTH: 12 } as const;
export const PCM_INFO_BYTES = 32;
export const DIRECTION_OUTPUT = 0;
export const MAX_CHANNELS = 2;

/** By number of the format. */
const SAMPLE_BYTES: ReadonlyMap<number, PcmFormat["sampleBytes"]> = new Map([
  [4, 1],
  [5, 2],
  [17, 4],
]);
/** By number of the rate. */
const RATES = [5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000, 88200, 96000] as const;

export const FORMAT_BITS = [...SAMPLE_BYTES.keys()].reduce((bits, format) => bits | (1n << BigInt(format)), 0n);
export const RATE_BITS = (1n << BigInt(RATES.length)) - 1n;

/** Undefined for what the stream does not take. */
export function streamFormat(channels: number, format: number, rate: number): PcmFormat | undefined {
  const sampleBytes = SAMPLE_BYTES.get(format);
  const hertz = RATES[rate];
  if (sampleBytes === undefined || hertz === undefined || channels < 1 || channels > MAX_CHANNELS) return undefined;
  return { rate: hertz, channels, sampleBytes };
}
