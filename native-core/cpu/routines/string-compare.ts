// Comparison of two strings of bytes or words in vectors (PCMPESTRI and relatives). One element of the first string at a time is
// compared with the whole second one.
import { AGGREGATION, STRING_COMPARE } from "../../ir/ops/string-compare.ts";
import {
  add32,
  and32,
  block,
  br,
  brIf,
  type Code,
  eq32,
  get,
  i32,
  loop,
  not32,
  op,
  or32,
  select,
  set,
  sub32,
  test32,
  when,
} from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Local } from "../../wasm/types.ts";

interface Frame {
  readonly first: Local;
  readonly second: Local;
  readonly firstLength: Local;
  readonly secondLength: Local;
  readonly control: Local;
  readonly result: Local;
  readonly vector: Local;
  readonly n: Local;
  /** Bits of elements that are there. */
  readonly valid: Local;
}

/** What differs between bytes and words. */
interface Elements {
  readonly shape: "i8x16" | "i16x8";
  readonly count: 16 | 8;
  /** An element's number times `spread` plus `offset` are the indices of its bytes. */
  readonly spread: number;
  readonly offset: number;
  readonly sign: number;
}

const BYTES: Elements = { shape: "i8x16", count: 16, spread: 1, offset: 0, sign: 0x80 };
const WORDS: Elements = { shape: "i16x8", count: 8, spread: 0x0202, offset: 0x0100, sign: 0x8000 };

/** (first: v128, second: v128, firstLength: i32, secondLength: i32, control: i32) -> i32 */
export function compareStrings(f: FunctionWriter): void {
  const [first, second, firstLength, secondLength, control] = f.params as [Local, Local, Local, Local, Local];
  const frame: Frame = {
    first,
    second,
    firstLength,
    secondLength,
    control,
    result: f.local("i32"),
    vector: f.local("v128"),
    n: f.local("i32"),
    valid: f.local("i32"),
  };
  set(frame.valid, ones(get(secondLength)))(f);
  when(test32(get(control), STRING_COMPARE.words), [aggregate(frame, WORDS)], [aggregate(frame, BYTES)])(f);
  const all = select(test32(get(control), STRING_COMPARE.words), i32(0xff), i32(0xffff));
  const negated = select(test32(get(control), STRING_COMPARE.masked), get(frame.valid), all);
  const polarity = select(test32(get(control), STRING_COMPARE.negate), negated, i32(0));
  op("i32.xor", get(frame.result), polarity)(f);
}

/** The lowest `count` bits. */
const ones = (count: Code): Code => sub32(op("i32.shl", i32(1), count), i32(1));

function aggregate(frame: Frame, elements: Elements): Code {
  const { control } = frame;
  const isAggregation = (kind: number): Code => eq32(and32(get(control), i32(STRING_COMPARE.aggregation)), i32(kind));
  return when(
    isAggregation(AGGREGATION.equalEach),
    [equalEach(frame, elements)],
    [
      when(
        isAggregation(AGGREGATION.equalOrdered),
        [equalOrdered(frame, elements)],
        [
          set(frame.vector, (f) => f.v128(0n)),
          set(frame.n, i32(0)),
          when(isAggregation(AGGREGATION.ranges), [ranges(frame, elements)], [equalAny(frame, elements)]),
          set(frame.result, and32(bitmask(elements, get(frame.vector)), get(frame.valid))),
        ],
      ),
    ],
  );
}

const bitmask = ({ shape }: Elements, vector: Code): Code => op(`${shape}.bitmask`, vector);

/** Element `index` of the first string in all lanes. */
function element({ first }: Frame, { shape, spread, offset }: Elements, index: Code): Code {
  const bytes = add32(op("i32.mul", index, i32(spread)), i32(offset));
  return op("i8x16.swizzle", get(first), op(`${shape}.splat`, bytes));
}

/** Runs `body` for n, n + step ... while n + step - 1 is an element of the first string. */
function eachElement({ n, firstLength }: Frame, step: 1 | 2, body: Code): Code {
  return block((done) => [
    loop((again) => [
      brIf(done, op("i32.ge_s", add32(get(n), i32(step - 1)), get(firstLength))),
      body,
      set(n, add32(get(n), i32(step))),
      br(again),
    ]),
  ]);
}

function equalAny(frame: Frame, elements: Elements): Code {
  const { vector, second, n } = frame;
  const equal = op(`${elements.shape}.eq`, get(second), element(frame, elements, get(n)));
  return eachElement(frame, 1, set(vector, op("v128.or", get(vector), equal)));
}

/** Unsigned elements are compared as signed ones with their top bit inverted. */
function ranges(frame: Frame, elements: Elements): Code {
  const { vector, first, second, control, n } = frame;
  const { shape, sign } = elements;
  const bias = op(`${shape}.splat`, i32(sign));
  const low = element(frame, elements, get(n));
  const high = element(frame, elements, add32(get(n), i32(1)));
  const inside = op("v128.and", op(`${shape}.ge_s`, get(second), low), op(`${shape}.le_s`, get(second), high));
  return (f) => {
    when(not32(test32(get(control), STRING_COMPARE.signed)), [
      set(first, op("v128.xor", get(first), bias)),
      set(second, op("v128.xor", get(second), bias)),
    ])(f);
    eachElement(frame, 2, set(vector, op("v128.or", get(vector), inside)))(f);
  };
}

/** Where both strings have ended, elements count as equal. */
function equalEach({ first, second, firstLength, valid, result, n }: Frame, elements: Elements): Code {
  const equal = bitmask(elements, op(`${elements.shape}.eq`, get(first), get(second)));
  const both = and32(get(n), get(valid));
  const neither = op("i32.xor", or32(get(n), get(valid)), i32(2 ** elements.count - 1));
  return (f) => {
    set(n, ones(get(firstLength)))(f);
    set(result, or32(and32(equal, both), neither))(f);
  };
}

/** Bit i: the first string begins at element i of the second; what would lie behind the vector counts as found. */
function equalOrdered(frame: Frame, elements: Elements): Code {
  const { second, n, valid, result } = frame;
  const equal = bitmask(elements, op(`${elements.shape}.eq`, get(second), element(frame, elements, get(n))));
  const found = op("i32.shr_u", and32(equal, get(valid)), get(n));
  const behind = op("i32.shl", i32(-1), sub32(i32(elements.count), get(n)));
  return (f) => {
    set(result, i32(2 ** elements.count - 1))(f);
    set(n, i32(0))(f);
    eachElement(frame, 1, set(result, and32(get(result), or32(found, behind))))(f);
  };
}
