// Generates the interpreter: the whole core as one Wasm module, from the forms of the instruction set (x86/forms.ts).
//
// Each form gets a handler number (its id) and, where it pays, variants: without flags, without index register. Small frequent handlers
// are written into the dispatch function, the others become functions in table 0.
import type { Fragment } from "../../ir/nodes.ts";
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
import { hasMemory, hotVariants, isHot } from "./hot-forms.ts";
import { lowerFragment } from "./lower-fragment.ts";
import { OUTCOME } from "./outcome.ts";
import { declareRuntime, importHelpers } from "./runtime.ts";
import type { LoweringTarget, Runtime, Variant } from "./target.ts";
import { defineNoteTarget } from "./target-profile.ts";

/** Handlers of more instructions than this become functions of their own. */
const MAX_INLINE_INSTRUCTIONS = 140;

const PLAIN: Variant = { quiet: false, simple: false };

interface Handler {
  readonly form: Form;
  readonly fragment: Fragment;
  readonly variant: Variant;
  /** The fragment ends with the branch that is the next operation. */
  readonly fused?: boolean;
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
  const inline = handlers.map((handler) => isInline(handler, runtime, globals));
  const numbers = FORMS.map((_, id) => [id, id, id, id]);
  for (const [id, form] of FORMS.entries()) {
    if (!inline[id]) continue;
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
    if (!inline[id]) continue;
    for (const condition of fusibleConditions(form)) {
      const fragment = fuseBranch(fragments[id] as Fragment, condition);
      if (!fragment) continue;
      const plain = handlers.push({ form, fragment, variant: PLAIN, fused: true }) - 1;
      let simple = plain;
      if (hasMemory(form))
        simple = handlers.push({ form, fragment, variant: { quiet: false, simple: true }, fused: true }) - 1;
      while (inline.length < handlers.length) inline.push(true);
      for (const branch of branches) {
        if (branch.condition === condition) pairs.push({ first: id, branch: branch.id, plain, simple });
      }
    }
  }

  const table = module.table({ minimum: handlers.length });
  handlers.forEach((handler, number) => {
    if (!inline[number]) module.elements(table, number, [defineOutlined(module, handler, number, runtime, globals)]);
  });
  const noteTarget = defineNoteTarget(module, host.targetsMissed);
  const run = module.declare("run", [], ["i32"]);
  const resync = handlers.length;
  writeDispatch(
    module,
    run,
    blocks,
    runtime,
    globals,
    [...handlers.map((handler, number) => (inline[number] ? inlineHandler(handler) : undefined)), undefined],
    resync,
    { ...exportForRegions(module, runtime, globals.area, noteTarget), hotBlock: host.hotBlock, noteTarget },
  );
  const traits = FORMS.map((form, id) => traitsOf(form, fragments[id] as Fragment));
  module.data(0, HANDLER_TABLE.address, handlerTableBytes(numbers, traits, pairs, resync));
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

function inlineHandler({ form, fragment, variant, fused = false }: Handler): InlineHandler {
  return { fused, write: (target) => lowerFragment(target, fragment, variant, isLegacy(form)) };
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
