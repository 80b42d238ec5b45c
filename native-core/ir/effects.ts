// Which parts of the machine a read depends on and a statement changes: what passes ask before they move or merge reads.
import type { Statement, ValueNode } from "./nodes.ts";

/** Parts of the machine, as bits. A variable has a part of its own, so it is handled beside these. */
export const PART = {
  general: 1,
  vector: 2,
  x87: 4,
  /** State slots, segment, control and debug registers. */
  system: 8,
  flags: 16,
  memory: 32,
  /** Faults: two that may happen keep their order, and nothing that changes the machine may cross one. */
  fault: 64,
} as const;

export const ALL_PARTS = 127;
const REGISTERS = {
  general: PART.general,
  vector: PART.vector,
  x87: PART.x87,
  segment: PART.system,
  control: PART.system,
  debug: PART.system,
} as const;

/** Parts that the node's value depends on. */
export function dependsOn(node: ValueNode): number {
  switch (node.op) {
    case "readRegister":
      return REGISTERS[node.file];
    case "readState":
    case "readSegment":
      return PART.system;
    case "readFlag":
    case "condition":
      return PART.flags;
    case "readFlags":
      return PART.flags | PART.system;
    case "load":
    case "translate":
    case "callHelper":
      return ALL_PARTS;
    default:
      return 0;
  }
}

/** Parts that a statement changes (nested statements not counted). */
export function changes(statement: Statement): number {
  switch (statement.kind) {
    case "define":
      switch (statement.value.node.op) {
        case "load":
          return PART.fault;
        // Filling a TLB entry changes nothing that a value shows.
        case "translate":
          return PART.fault;
        case "callHelper":
          return ALL_PARTS;
        default:
          return 0;
      }
    case "writeState":
      // A slot may hold flags (lazy ones are written by their own statements only, but helpers of the architecture write RFLAGS).
      return PART.system | PART.flags;
    case "writeRegister":
      return REGISTERS[statement.file];
    case "setFlags":
    case "writeFlag":
    case "writeArithmeticFlags":
      return PART.flags;
    case "store":
      return PART.memory | PART.fault;
    case "hostCopy":
    case "hostFill":
      return PART.memory;
    case "raise":
    case "exit":
      return PART.fault;
    case "setVariable":
    case "if":
    case "loop":
      return 0;
  }
}
