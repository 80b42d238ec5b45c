// Which handler runs a form: written into the module's data by the generator, read by the block cache at run time.
//
//   u16 number of forms, u16 resync handler
//   for each form four u16: the handlers of variants 0 (plain) to 3 (quiet and simple)
//   for each form u8: FORM_TRAIT

/** In memory 0; `maxBytes` is what the layout has room for. */
export const HANDLER_TABLE = { address: 0x8000, maxBytes: 0x8000 } as const;

/** Bits of a variant's number. */
export const VARIANT = { quiet: 1, simple: 2 } as const;

/** What a form means to the flags of operations before it. */
export const FORM_TRAIT = {
  /** Reads them, or may leave the block with them. */
  observesFlags: 1,
  /** Replaces all six, whatever they were. */
  replacesFlags: 2,
} as const;

export function handlerTableBytes(
  numbers: readonly (readonly number[])[],
  traits: readonly number[],
  resync: number,
): Uint8Array {
  const words = [numbers.length, resync, ...numbers.flat()];
  const bytes = new Uint8Array(words.length * 2 + traits.length);
  if (bytes.length > HANDLER_TABLE.maxBytes) throw new Error("the handler table does not fit");
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint16(i * 2, word, true);
  });
  bytes.set(traits, words.length * 2);
  return bytes;
}

export interface HandlerTable {
  readonly resync: number;
  /** Four numbers per form. */
  readonly numbers: Uint16Array;
  readonly traits: Uint8Array;
}

/** The handler that calls a block's compiled region: the number behind resync. */
export const enterHandler = ({ resync }: Pick<HandlerTable, "resync">): number => resync + 1;

export function readHandlerTable(memory: ArrayBuffer): HandlerTable {
  const [forms = 0, resync = 0] = new Uint16Array(memory, HANDLER_TABLE.address, 2);
  const numbers = HANDLER_TABLE.address + 4;
  return {
    resync,
    numbers: new Uint16Array(memory, numbers, forms * 4),
    traits: new Uint8Array(memory, numbers + forms * 8, forms),
  };
}
