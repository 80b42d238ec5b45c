// Blocks as the JIT reads them back from the operation cache.
import type { FieldName } from "../../ir/nodes.ts";
import { OPERATION_SIZE } from "../../x86/operation.ts";
import {
  BLOCK_HEADER,
  BLOCK_HEADER_SIZE,
  BLOCK_SPANS_PAGES,
  INSTRUCTION_COUNT,
  LINK_SLOT,
  NEXT_SLOT,
  TAKEN_SLOT,
  TRAILER_SIZE,
} from "../interpreter/block-layout.ts";
import type { HandlerTable } from "../interpreter/handler-table.ts";
import { PAGE_SIZE } from "../mmu/memory-layout.ts";
import { type ComputedTargets, computedTargets, MAX_DISTANCE } from "./computed-targets.ts";
import { type PreparedForm, preparedForm } from "./prepared-forms.ts";
import { effectOf, type RegisterEffect } from "./region-registers.ts";

/** To where a computed jump or call is expected to lead: index in `expected`. */
export type WayKind = `way ${number}`;

/** Ways on: by an exit, to the function that a call calls, to where it returns, to where it is expected to. */
export type TargetKind = "relative" | "next" | "call" | "return" | WayKind;

export type OperationFields = Readonly<Record<Exclude<FieldName, "handler" | "imm64">, number>>;

/** As the semantics see it. */
export function fieldOf(fields: OperationFields, name: FieldName): bigint {
  if (name === "imm64") return (BigInt(fields.imm) << 32n) | BigInt(fields.disp >>> 0);
  return name === "handler" ? 0n : BigInt(fields[name]);
}

export interface CompiledOperation {
  readonly prepared: PreparedForm;
  readonly fields: OperationFields;
  readonly effect: RegisterEffect;
  readonly address: number;
  /** Instructions of the block before this one. */
  readonly retired: number;
  /** Of the instruction's first operation: an address operation may come before it. */
  readonly first: number;
  /** Offset of the instruction and of the next one, as pageOffset of the block. */
  readonly at: number;
  readonly next: number;
}

export interface CompiledBlock {
  readonly address: number;
  /** Offset of its first byte in the page of the region's entry; beyond it, for a block of another page. */
  readonly pageOffset: number;
  readonly operations: readonly CompiledOperation[];
  /** The block goes on with an instruction that the JIT leaves to the interpreter: address of its first operation. */
  readonly cutAt: number | undefined;
  readonly instructionCount: number;
  /** Address of the last operation: link slots are behind it. */
  readonly lastOperation: number;
  readonly targets: ReadonlyMap<TargetKind, number>;
  /** Whether its link slots have led anywhere yet. */
  readonly usesTaken: boolean;
  readonly usesNext: boolean;
  /** The target of the call or jump at its end is computed: `targets` has those that are expected. */
  readonly computed: ComputedTargets | undefined;
  readonly isReturn: boolean;
  /** Its only instruction crosses a page end: whoever leads to it has to look at a link, even in its own page. */
  readonly spansPages: boolean;
}

export class BlockSource {
  readonly #view: DataView;
  /** Form by handler number, whatever the variant. */
  readonly #forms = new Map<number, number>();
  /** What the first operation's handler was before it was made to enter compiled code, by block address. */
  readonly originalHandlers = new Map<number, number>();

  constructor(memory: ArrayBuffer, handlers: HandlerTable) {
    this.#view = new DataView(memory);
    const { numbers, pairs, sequences } = handlers;
    numbers.forEach((number, index) => {
      this.#forms.set(number, index >> 2);
    });
    // The branch of a fused pair has its own operation behind that of the pair.
    for (const { first, handler } of pairs.values()) this.#forms.set(handler, first);
    // So have the parts of a sequence.
    for (const { handler, parts } of sequences) this.#forms.set(handler, this.#forms.get(parts[0] ?? 0) ?? 0);
  }

  /** Undefined if even the first instruction is not for the JIT, or the block is void. */
  read(address: number, pageOffset: number): CompiledBlock | undefined {
    const view = this.#view;
    const size = view.getUint32(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.size, true);
    const count = (size - TRAILER_SIZE) / OPERATION_SIZE;
    const lastOperation = address + (count - 1) * OPERATION_SIZE;
    const operations: CompiledOperation[] = [];
    let retired = 0;
    let start = 0;
    let first = address;
    let cutAt: number | undefined;
    for (let n = 0; n < count; n++) {
      const at = address + n * OPERATION_SIZE;
      const fields = this.#fields(at);
      if (fields.start !== start) {
        start = fields.start;
        first = at;
        retired++;
      }
      const handler =
        n === 0 ? (this.originalHandlers.get(address) ?? view.getUint16(at, true)) : view.getUint16(at, true);
      const form = this.#forms.get(handler);
      const prepared = form === undefined ? undefined : preparedForm(form, false);
      if (!prepared) {
        // An address operation belongs to the instruction behind it.
        while (operations.at(-1)?.at === pageOffset + start) operations.pop();
        cutAt = address + operations.length * OPERATION_SIZE;
        break;
      }
      const instruction = pageOffset + start;
      operations.push({
        prepared,
        fields,
        effect: effectOf(prepared, fields),
        address: at,
        first,
        retired,
        at: instruction,
        next: instruction + fields.length,
      });
    }
    if (operations.length === 0) return undefined;
    dropDeadFlags(operations);
    const targets = new Map<TargetKind, number>();
    let computed: ComputedTargets | undefined;
    if (cutAt === undefined) {
      const last = operations.at(-1) as CompiledOperation;
      addTargets(targets, last, pageOffset);
      computed = this.#addComputed(targets, last, pageOffset);
    }
    return {
      address,
      pageOffset,
      operations,
      cutAt,
      instructionCount: view.getUint32(lastOperation + INSTRUCTION_COUNT, true),
      lastOperation,
      targets,
      usesTaken: view.getInt32(lastOperation + TAKEN_SLOT + LINK_SLOT.block, true) !== 0,
      usesNext: view.getInt32(lastOperation + NEXT_SLOT + LINK_SLOT.block, true) !== 0,
      computed,
      isReturn: cutAt === undefined && operations.at(-1)?.prepared.form.row.mnemonic === "RET",
      spansPages: (view.getUint16(address - BLOCK_HEADER_SIZE + BLOCK_HEADER.flags, true) & BLOCK_SPANS_PAGES) !== 0,
    };
  }

  /** Where a computed jump or call has led (interpreter/target-profile.ts). */
  #addComputed(
    targets: Map<TargetKind, number>,
    last: CompiledOperation,
    pageOffset: number,
  ): ComputedTargets | undefined {
    const profile = this.#view.getInt32(last.address + TAKEN_SLOT + LINK_SLOT.block, true);
    const { mnemonic } = last.prepared.form.row;
    const isCall = mnemonic === "CALL";
    if (profile === 0 || !last.prepared.exits.has("indirect") || (mnemonic !== "JMP" && !isCall)) return undefined;
    const computed = computedTargets(this.#view, profile, isCall, pageOffset & -PAGE_SIZE);
    for (const [n, { offset }] of computed.expected.entries()) targets.set(`way ${n}`, offset);
    return computed;
  }

  #fields(at: number): OperationFields {
    const view = this.#view;
    return {
      length: view.getUint8(at + 2),
      start: view.getUint8(at + 3),
      reg: view.getUint8(at + 4),
      rm: view.getUint8(at + 5),
      index: view.getUint8(at + 6),
      scale: view.getUint8(at + 7),
      disp: view.getInt32(at + 8, true),
      imm: view.getInt32(at + 12, true),
      vvvv: view.getUint8(at + 13),
      is4: view.getUint8(at + 14),
    };
  }
}

/** Backwards: flags are live at the end of the block, and before anything that reads them or may leave the block. */
function dropDeadFlags(operations: CompiledOperation[]): void {
  let live = true;
  for (let n = operations.length - 1; n >= 0; n--) {
    const operation = operations[n] as CompiledOperation;
    const { prepared } = operation;
    const quiet = live ? undefined : preparedForm(prepared.form.id, true);
    if (quiet) operations[n] = { ...operation, prepared: quiet, effect: effectOf(quiet, operation.fields) };
    if (prepared.observesFlags) live = true;
    else if (prepared.replacesFlags) live = false;
  }
}

function addTargets(
  targets: Map<TargetKind, number>,
  { prepared, fields, next }: CompiledOperation,
  pageOffset: number,
): void {
  if (prepared.callsSystem) targets.set("return", next);
  if (prepared.changesSystem && !prepared.onlyMasks) return;
  const calls = prepared.form.row.mnemonic === "CALL";
  if (calls) targets.set("return", next);
  if (prepared.exits.has("relative")) targets.set(calls ? "call" : "relative", pageOffset + fields.disp);
  if (prepared.exits.has("next")) targets.set("next", next);
  for (const [kind, offset] of targets) if (Math.abs(offset) > MAX_DISTANCE) targets.delete(kind);
}
