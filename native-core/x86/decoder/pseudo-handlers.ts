// Handlers of the operations that only the decoder makes (semantics/address.ts), by mode.
import { PSEUDO_ROWS } from "../semantics/address.ts";
import { pseudoHandler } from "./opcode-map.ts";

export interface PseudoHandlers {
  readonly undefinedOpcode: number;
  readonly generalProtection: number;
  readonly next: number;
  readonly address64: number;
  readonly address64Segment: number;
  readonly address32: number;
  readonly address16: number;
  readonly address32Segment: number;
  readonly legacy32: number;
  readonly legacy16: number;
  readonly absolute64: number;
  readonly absolute64Segment: number;
}

function pseudoHandlers(mode: "64" | "legacy"): PseudoHandlers {
  return {
    undefinedOpcode: pseudoHandler(PSEUDO_ROWS.UD, mode),
    generalProtection: pseudoHandler(PSEUDO_ROWS.GP, mode),
    next: pseudoHandler(PSEUDO_ROWS.NEXT, mode),
    address64: pseudoHandler(PSEUDO_ROWS.ADDRESS64, mode),
    address64Segment: pseudoHandler(PSEUDO_ROWS.ADDRESS64_SEGMENT, mode),
    address32: pseudoHandler(PSEUDO_ROWS.ADDRESS32, mode),
    address16: pseudoHandler(PSEUDO_ROWS.ADDRESS16, mode),
    address32Segment: pseudoHandler(PSEUDO_ROWS.ADDRESS32_SEGMENT, mode),
    legacy32: pseudoHandler(PSEUDO_ROWS.LEGACY32, mode),
    legacy16: pseudoHandler(PSEUDO_ROWS.LEGACY16, mode),
    absolute64: pseudoHandler(PSEUDO_ROWS.ABSOLUTE64, mode),
    absolute64Segment: pseudoHandler(PSEUDO_ROWS.ABSOLUTE64_SEGMENT, mode),
  };
}

export const PSEUDO_HANDLERS = { "64": pseudoHandlers("64"), legacy: pseudoHandlers("legacy") };

/** The handler of NEXT: appended where a block ends without a control transfer. */
export function nextHandler(mode: 2 | 4 | 8): number {
  return (mode === 8 ? PSEUDO_HANDLERS["64"] : PSEUDO_HANDLERS.legacy).next;
}
