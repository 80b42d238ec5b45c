// Generates the interpreter: the whole core as one Wasm module, from the forms of the instruction set (x86/forms.ts).
//
// Each form gets a handler number (its id) and, where it pays, variants: without flags, without index register. Small frequent handlers
// are written into the dispatch function, the others become functions in table 0.
import type { Fragment, Statement } from "../../ir/nodes.ts";
import { verifyFragment } from "../../ir/verifier.ts";
import { allStatements } from "../../ir/walk.ts";
import { get, i32, op, ret, seq } from "../../wasm/code.ts";
import { FunctionWriter } from "../../wasm/function-writer.ts";
import { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { FORMS, type Form, fragmentOf } from "../../x86/forms.ts";
import { exportForRegions } from "../jit/linkage.ts";
import { declareAccess } from "../mmu/access.ts";
import { importHost, importMemories } from "../mmu/imports.ts";
import { definePageWalk } from "../mmu/page-walk.ts";
import { declarePhysical } from "../mmu/physical.ts";
import { declareTlb } from "../mmu/tlb.ts";
import { declareBlocks } from "./blocks.ts";
import { type InlineHandler, type OutcomeGlobals, writeDispatch } from "./dispatch.ts";
import { traitsOf } from "./form-traits.ts";
import { branchCondition, fuseBranch, fusibleConditions } from "./fused-branch.ts";
import { type FusedPair, HANDLER_TABLE, handlerTableBytes } from "./handler-table.ts";
import { hasMemory, hotVariants, isHot, isHotPlain } from "./hot-forms.ts";
import { HOT_SEQUENCES } from "./hot-sequences.ts";
import { lowerFragment } from "./lower-fragment.ts";
import { OUTCOME } from "./outcome.ts";
import { declareRuntime, importHelpers } from "./runtime.ts";
import type { LoweringTarget, Runtime, Variant } from "./target.ts";
import { defineNoteTarget } from "./target-profile.ts";

/** Handlers of more instructions than this become functions of their own. */
const MAX_INLINE_INSTRUCTIONS = 140;

/** What only the last part of a sequence may have. */
const ENDS: ReadonlySet<Statement["kind"]> = new Set(["exit", "loop", "hostCopy", "hostFill"]);

const PLAIN: Variant = { quiet: false, simple: false };

interface Handler {
  readonly form: Form;
  readonly fragment: Fragment;
  readonly variant: Variant;
  /** The fragment ends with the branch that is the next operation, of this form. */
  readonly fused?: Form;
}

/** The Wasm binary. Imports: mmu/imports.ts and one function per helper. Exports: `run` and what cpu/vcpu uses. */
export function buildInterpreter(): Uint8Array<ArrayBuffer> {
  const fragments = FORMS.map((form) => {
    const fragment = fragmentOf(form);
    verifyFragment(fragment);
    return fragment;
  });
  const module = new ModuleWriter();
  importMemories(module);
  const host = importHost(module);
  const helpers = importHelpers(module, fragments);
  const physical = declarePhysical(module, host);
  const pageWalk = definePageWalk(module, physical);
  const tlb = declareTlb(module, physical, pageWalk, host);
  const access = declareAccess(module, host, tlb, pageWalk);
  const runtime = declareRuntime(module, access, helpers);
  const blocks = declareBlocks(module, host, tlb);
  const globals: OutcomeGlobals = {
    target: module.global("i64", 0n),
    slot: module.global("i32", 0n),
    area: module.global("i32", 0n),
  };

  const handlers: Handler[] = FORMS.map((form, id) => ({ form, fragment: fragments[id] as Fragment, variant: PLAIN }));
  const worthy = handlers.map((handler) => isInline(handler, runtime, globals));
  const inline = worthy.map((is, id) => is && isHotPlain(FORMS[id] as Form));
  const numbers = FORMS.map((_, id) => [id, id, id, id]);
  for (const [id, form] of FORMS.entries()) {
    if (!worthy[id]) continue;
    for (const variant of variantsOf(form, fragments[id] as Fragment)) {
      const number = handlers.push({ form, fragment: fragments[id] as Fragment, variant }) - 1;
      inline.push(true);
      const row = numbers[id] as number[];
      // A variant also serves where a more special one does not exist.
      for (let index = 0; index < 4; index++) {
        const fits = (!variant.quiet || index & 1) && (!variant.simple || index & 2);
        if (fits) row[index] = number;
      }
    }
  }

  const pairs: FusedPair[] = [];
  const branches = FORMS.flatMap((form, id) => {
    const condition = branchCondition(form);
    return condition === undefined ? [] : [{ id, condition }];
  });
  for (const [id, form] of FORMS.entries()) {
    if (!worthy[id]) continue;
    for (const condition of fusibleConditions(form)) {
      const fragment = fuseBranch(fragments[id] as Fragment, condition);
      if (!fragment) continue;
      const behind = branches.filter((branch) => branch.condition === condition);
      const fused = behind[0] && FORMS[behind[0].id];
      if (!fused) continue;
      const simple = hasMemory(form);
      const handler = handlers.push({ form, fragment, variant: { quiet: false, simple }, fused }) - 1;
      inline.push(true);
      for (const branch of behind) pairs.push({ first: id, branch: branch.id, handler, simple });
    }
  }

  const sequences = findSequences(handlers.map((handler, number) => (inline[number] ? handler : undefined)));
  const table = module.table({ minimum: handlers.length });
  handlers.forEach((handler, number) => {
    if (!inline[number]) module.elements(table, number, [defineOutlined(module, handler, number, runtime, globals)]);
  });
  const noteTarget = defineNoteTarget(module, host.targetsMissed);
  const run = module.declare("run", [], ["i32"]);
  const resync = handlers.length + sequences.length;
  writeDispatch(
    module,
    run,
    blocks,
    runtime,
    globals,
    [
      ...handlers.map((handler, number) => (inline[number] ? [inlineHandler(handler)] : undefined)),
      ...sequences.map((parts) => parts.map((number) => inlineHandler(handlers[number] as Handler))),
      undefined,
    ],
    resync,
    { ...exportForRegions(module, runtime, globals.area, noteTarget), hotBlock: host.hotBlock, noteTarget },
  );
  const traits = FORMS.map((form, id) => traitsOf(form, fragments[id] as Fragment));
  module.data(
    0,
    HANDLER_TABLE.address,
    handlerTableBytes(
      numbers,
      traits,
      pairs,
      sequences.map((parts, n) => ({ handler: handlers.length + n, parts })),
      resync,
    ),
  );
  const exported: Record<string, FunctionReference> = {
    run,
    translate: tlb.translate,
    flush: tlb.flush,
    dropTranslations: tlb.dropTranslations,
    invalidatePage: tlb.invalidatePage,
    dropWriteEntries: tlb.dropWriteEntries,
    bumpGenerations: tlb.bumpGenerations,
  };
  for (const [name, reference] of Object.entries(exported)) module.export(name, reference);
  return module.finish();
}

const isLegacy = (form: Form): boolean => form.info.mode === "legacy";

function inlineHandler({ form, fragment, variant, fused }: Handler): InlineHandler {
  return {
    fused: fused !== undefined,
    stores: allStatements(fragment.body).some(({ kind }) => kind === "store"),
    write: (target) => lowerFragment(target, fragment, variant, isLegacy(form)),
  };
}

/** The numbers of the handlers that each sequence consists of. */
function findSequences(handlers: readonly (Handler | undefined)[]): readonly (readonly number[])[] {
  const numbers = new Map(handlers.map((handler, number) => [handler ? nameOf(handler) : "", number]));
  return HOT_SEQUENCES.map((sequence) =>
    sequence.split(" | ").map((name, part, { length }) => {
      const number = numbers.get(name);
      if (number === undefined) throw new Error(`no inline handler is a ${name}`);
      const mayEnd = allStatements(handlers[number]?.fragment.body ?? []).some(({ kind }) => ENDS.has(kind));
      if (mayEnd && part < length - 1) throw new Error(`${name} may be the end of a block`);
      return number;
    }),
  );
}

/** As hot-sequences.ts names it: `MOV Gv,Ev 8 [base] quiet JE`. */
function nameOf({ form, variant, fused }: Handler): string {
  const { mnemonic, operands } = form.row;
  const memory = hasMemory(form) ? (variant.simple ? "[base]" : "[index]") : "";
  const parts = [mnemonic, operands, form.info.size, memory, variant.quiet ? "quiet" : "", fused?.row.mnemonic ?? ""];
  return parts.filter((part) => part !== "").join(" ");
}

function variantsOf(form: Form, fragment: Fragment): readonly Variant[] {
  return hotVariants(
    form,
    allStatements(fragment.body).some(({ kind }) => kind === "setFlags"),
  );
}

/** Whether a handler is worth a place in the dispatch function: frequent and small. */
function isInline({ form, fragment, variant }: Handler, runtime: Runtime, globals: OutcomeGlobals): boolean {
  if (!isHot(form)) return false;
  const scratch = new FunctionWriter("scratch", { params: ["i32"], results: ["i32"] });
  lowerFragment(outlinedTarget(scratch, runtime, globals), fragment, variant, false);
  return scratch.count <= MAX_INLINE_INSTRUCTIONS;
}

function defineOutlined(
  module: ModuleWriter,
  { form, fragment, variant }: Handler,
  number: number,
  runtime: Runtime,
  globals: OutcomeGlobals,
): FunctionReference {
  const { mnemonic, opcode } = form.row;
  const reference = module.declare(`${number} ${mnemonic} ${opcode} ${form.info.size}`, ["i32"], ["i32"]);
  const f = module.define(reference);
  lowerFragment(outlinedTarget(f, runtime, globals), fragment, variant, isLegacy(form));
  f.i32(OUTCOME.next);
  return reference;
}

function outlinedTarget(f: FunctionWriter, runtime: Runtime, globals: OutcomeGlobals): LoweringTarget {
  const operation = f.params[0] as Local;
  const leave = (outcome: number) => ret(i32(outcome));
  return {
    f,
    runtime,
    operation,
    area: (w) => w.index("global.get", globals.area),
    exits: {
      linked: (to, offset, checked) =>
        seq(
          to,
          (w) => w.index("global.set", globals.target),
          op("i32.add", get(operation), i32(offset)),
          (w) => w.index("global.set", globals.slot),
          leave(checked ? OUTCOME.checked : OUTCOME.linked),
        ),
      indirect: (to) => seq(to, (w) => w.index("global.set", globals.target), leave(OUTCOME.indirect)),
      state: () => leave(OUTCOME.state),
      repeat: () => leave(OUTCOME.repeat),
      fault: () => leave(OUTCOME.fault),
    },
  };
}
