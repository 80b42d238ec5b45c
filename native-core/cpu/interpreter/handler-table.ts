// Which handler runs a form: written into the module's data by the generator, read by the block writer at run time.
//
//   u16 number of forms, u16 resync handler, then for each form four u16: plain, quiet, simple, quiet and simple
import { FILTER_BYTES, FILTERS } from "../mmu/memory-layout.ts";

export const HANDLER_TABLE = { address: 0x9000, maxBytes: 0x7000 } as const;

if (FILTERS.executedPages + FILTER_BYTES > HANDLER_TABLE.address) throw new Error("memory 0: handler table overlaps");

export function handlerTableBytes(numbers: readonly (readonly number[])[], resync: number): Uint8Array {
  const words = [numbers.length, resync, ...numbers.flat()];
  const bytes = new Uint8Array(words.length * 2);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint16(i * 2, word, true);
  });
  return bytes;
}

export interface HandlerTable {
  readonly resync: number;
  /** Four numbers per form. */
  readonly numbers: Uint16Array;
}

export function readHandlerTable(memory: ArrayBuffer): HandlerTable {
  const [forms = 0, resync = 0] = new Uint16Array(memory, HANDLER_TABLE.address, 2);
  return { resync, numbers: new Uint16Array(memory, HANDLER_TABLE.address + 4, forms * 4) };
}
