// Which handler runs a form: written into the module's data by the generator, read by the block cache at run time.
//
//   u16 number of forms, u16 resync handler
//   for each form four u16: the handlers of variants 0 (plain) to 3 (quiet and simple)
//   for each form u8: FORM_TRAIT, padded to an even number
//   u16 number of fused pairs, then for each u16: first form, branch form, handler, whether it is for addresses without index register only
//   u16 number of sequences, then for each u16: handler, number of parts, handler of each part

/** In memory 0; `maxBytes` is what the layout has room for. */
export const HANDLER_TABLE = { address: 0x6000, maxBytes: 0xa000 } as const;

/** Bits of a variant's number. */
export const VARIANT = { quiet: 1, simple: 2 } as const;

/** What a form means to the flags of operations before it, and how it ends. */
export const FORM_TRAIT = {
  /** Reads them, or may leave the block with them. */
  observesFlags: 1,
  /** Replaces all six, whatever they were. */
  replacesFlags: 2,
  /** Ends in a jump or call to a computed target, which is worth noting (target-profile.ts). */
  computedJump: 4,
  computedCall: 8,
} as const;

/** Two forms in a row that have a handler of their own. */
export interface FusedPair {
  readonly first: number;
  readonly branch: number;
  readonly handler: number;
  /** Only where the first one's address has no index register. */
  readonly simple: boolean;
}

/** Handlers in a row that have one of their own; the branch behind a fused first one is not a part. */
export interface HandlerSequence {
  readonly handler: number;
  readonly parts: readonly number[];
}

export function handlerTableBytes(
  numbers: readonly (readonly number[])[],
  traits: readonly number[],
  pairs: readonly FusedPair[],
  sequences: readonly HandlerSequence[],
  resync: number,
): Uint8Array {
  const words = [numbers.length, resync, ...numbers.flat()];
  const pairWords = [
    pairs.length,
    ...pairs.flatMap(({ first, branch, handler, simple }) => [first, branch, handler, simple ? 1 : 0]),
    sequences.length,
    ...sequences.flatMap(({ handler, parts }) => [handler, parts.length, ...parts]),
  ];
  const pairsAt = words.length * 2 + even(traits.length);
  const bytes = new Uint8Array(pairsAt + pairWords.length * 2);
  if (bytes.length > HANDLER_TABLE.maxBytes) throw new Error("the handler table does not fit");
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint16(i * 2, word, true);
  });
  bytes.set(traits, words.length * 2);
  pairWords.forEach((word, i) => {
    view.setUint16(pairsAt + i * 2, word, true);
  });
  return bytes;
}

const even = (length: number): number => (length + 1) & ~1;

/** Key of a pair of forms. */
export const pairKey = (first: number, branch: number): number => first * 0x1_0000 + branch;

export interface HandlerTable {
  readonly resync: number;
  /** Four numbers per form. */
  readonly numbers: Uint16Array;
  readonly traits: Uint8Array;
  /** Handlers of fused pairs by pairKey. */
  readonly pairs: ReadonlyMap<number, FusedPair>;
  readonly sequences: readonly HandlerSequence[];
}

/** The handler that calls a block's compiled region: the number behind resync. */
export const enterHandler = ({ resync }: Pick<HandlerTable, "resync">): number => resync + 1;

export function readHandlerTable(memory: ArrayBuffer): HandlerTable {
  const [forms = 0, resync = 0] = new Uint16Array(memory, HANDLER_TABLE.address, 2);
  const numbers = HANDLER_TABLE.address + 4;
  const traits = numbers + forms * 8;
  const pairsAt = traits + even(forms);
  const [count = 0] = new Uint16Array(memory, pairsAt, 1);
  const words = new Uint16Array(memory, pairsAt + 2, count * 4);
  const pairs = new Map<number, FusedPair>();
  for (let at = 0; at < words.length; at += 4) {
    const [first = 0, branch = 0, handler = 0, simple = 0] = words.subarray(at, at + 4);
    pairs.set(pairKey(first, branch), { first, branch, handler, simple: simple !== 0 });
  }
  const sequencesAt = pairsAt + 2 + count * 8;
  const [sequenceCount = 0] = new Uint16Array(memory, sequencesAt, 1);
  const rest = new Uint16Array(memory, sequencesAt + 2);
  const sequences: HandlerSequence[] = [];
  for (let at = 0; sequences.length < sequenceCount; ) {
    const [handler = 0, length = 0] = rest.subarray(at, at + 2);
    sequences.push({ handler, parts: [...rest.subarray(at + 2, at + 2 + length)] });
    at += 2 + length;
  }
  return {
    resync,
    sequences,
    numbers: new Uint16Array(memory, numbers, forms * 4),
    traits: new Uint8Array(memory, traits, forms),
    pairs,
  };
}
