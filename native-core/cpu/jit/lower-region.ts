// Writes a region's function: its blocks as structured control flow, after Ramsey, "Beyond Relooper" (ICFP 2022). A node that several
// edges lead to is written behind a Wasm block around everything that can reach it; the target of a backward edge opens a Wasm loop.
//
// Every edge is a block end to the machine: instructions are counted and the deadline is looked at, just as the interpreter does, so
// that both stop at the same instruction.
import type { Exit } from "../../ir/nodes.ts";
import { type Code, get, ne64, op, unlikely } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { Label, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import { readSlot } from "../mmu/cells.ts";
import type { CompiledBlock } from "./block-source.ts";
import type { ComputedTargets } from "./computed-targets.ts";
import { needsGuard, slotOf } from "./discover-region.ts";
import { lowerOperation } from "./lower-operation.ts";
import { OUTCOME } from "./outcome.ts";
import type { PreparedForm } from "./prepared-forms.ts";
import type { Region, RegionNode } from "./region.ts";
import { type NodeRegisters, registersOfRegion } from "./region-registers.ts";
import { type ComputedLink, type JitRuntime, type RegionSetting, RegionWriter } from "./region-writer.ts";
import { writeTargetSwitch } from "./target-switch.ts";

interface Guard {
  readonly slot: number;
  readonly blockOffset: number;
}

/** Where a computed jump may lead in the region. */
interface Way {
  readonly offset: number;
  readonly share: number;
  readonly successor: number;
  readonly guard?: Guard;
}

const NOWHERE: RegionNode["successors"] = new Map();

export function lowerRegion(f: FunctionWriter, runtime: JitRuntime, setting: RegionSetting, region: Region): void {
  new RegionLowering(f, runtime, setting, region).run();
}

class RegionLowering {
  readonly #writer: RegionWriter;
  readonly #nodes: readonly RegionNode[];
  readonly #registers: readonly NodeRegisters[];
  readonly #setting: RegionSetting;
  readonly #loops = new Map<number, Label>();
  readonly #merges = new Map<number, Label>();

  constructor(f: FunctionWriter, runtime: JitRuntime, setting: RegionSetting, { nodes }: Region) {
    const entry = nodes[0] as RegionNode;
    this.#nodes = nodes;
    this.#setting = setting;
    const registers = registersOfRegion(nodes);
    this.#registers = registers.nodes;
    this.#writer = new RegionWriter(f, runtime, setting, registers, entry.block.pageOffset);
  }

  run(): void {
    this.#writer.open(this.#liveAt(0));
    this.#tree(0);
    this.#writer.close();
  }

  #liveAt(node: number): number {
    return (this.#registers[node] as NodeRegisters).live;
  }

  /** A node with all that it dominates. */
  #tree(index: number): void {
    const { f } = this.#writer;
    const node = this.#nodes[index] as RegionNode;
    if (node.isMerge) this.#writer.flags.areUnknown();
    if (node.isMerge || node.isLoop) this.#writer.pages.forgetAll();
    if (!node.isLoop) return this.#within(node, index, 0);
    this.#writer.flags.forgetForm();
    const label = f.open("loop");
    this.#loops.set(index, label);
    this.#within(node, index, 0);
    f.close(label);
  }

  /** The node inside the blocks of its merge children, outermost first. */
  #within(node: RegionNode, index: number, depth: number): void {
    const child = node.mergeChildren[depth];
    if (child === undefined) return this.#block(node, index);
    const { f } = this.#writer;
    const label = f.open("block");
    this.#merges.set(child, label);
    this.#within(node, index, depth + 1);
    f.close(label);
    this.#tree(child);
  }

  #block(node: RegionNode, index: number): void {
    const writer = this.#writer;
    const { block } = node;
    const { dirty, unblocked, narrow } = this.#registers[index] as NodeRegisters;
    writer.dirty = dirty;
    writer.unblocked = unblocked;
    writer.narrow = narrow;
    for (const operation of block.operations) {
      lowerOperation(writer, operation, (exit, isVoid) => {
        const { prepared, next } = operation;
        this.#exit(isVoid ? { ...node, successors: NOWHERE } : node, prepared, next, exit);
      });
    }
    if (block.cutAt !== undefined) writer.resume(block.pageOffset, block.cutAt)(writer.f);
  }

  #exit(node: RegionNode, prepared: PreparedForm, next: number, exit: Exit): void {
    const { changesSystem, onlyMasks, callsSystem } = prepared;
    const { block, successors } = node;
    const writer = this.#writer;
    const { f } = writer;
    const { instructionCount, pageOffset } = block;
    const back = successors.get("return");
    switch (exit.to) {
      case "relative":
      case "next": {
        const target = exit.to === "next" ? next : relativeTarget(block);
        const slot = slotOf(block, exit.to);
        const kind = successors.has("call") ? "call" : exit.to;
        if (onlyMasks) writer.leaveIfUnmasked(writer.ripAt(target), instructionCount, slot, pageOffset)(f);
        const successor = successors.get(kind);
        if (successor !== undefined) {
          const guarded = needsGuard(block, (this.#nodes[successor] as RegionNode).block);
          const guard = guarded ? { slot, blockOffset: pageOffset } : undefined;
          return this.#edge(instructionCount, successor, target, guard);
        }
        if (back !== undefined) {
          writer.callFunction(writer.ripAt(target), instructionCount, slot, pageOffset, next, this.#liveAt(back));
          return this.#edge(0, back, next);
        }
        const outcome = changesSystem && !onlyMasks ? OUTCOME.checked : OUTCOME.linked;
        const isUsed = exit.to === "next" ? block.usesNext : block.usesTaken;
        if (!isUsed && outcome === OUTCOME.linked)
          return writer.leaveByLinkRarely(target, instructionCount, slot, pageOffset)(f);
        return writer.leaveByLink(outcome, writer.ripAt(target), instructionCount, slot, pageOffset)(f);
      }
      case "indirect": {
        const target = f.borrow("i64");
        f.set(target);
        if (block.computed) this.#computed(node, block.computed, target, next);
        else if (block.isReturn && !changesSystem) this.#return(node, get(target));
        else writer.leaveUsually(changesSystem ? OUTCOME.indirect : OUTCOME.jump, get(target), instructionCount)(f);
        return f.release(target);
      }
      case "state":
        if (!this.#setting.user) return writer.leaveToState(instructionCount)(f);
        if (!callsSystem || back === undefined)
          return writer.leaveUsually(OUTCOME.state, readSlot(STATE.rip), instructionCount)(f);
        writer.callSystem(instructionCount, next, this.#liveAt(back));
        return this.#edge(0, back, next);
      default:
        throw new Error(`the JIT does not compile an exit to ${exit.to}`);
    }
  }

  /** A computed jump or call goes on in the region if it leads where it is expected to. */
  #computed(node: RegionNode, computed: ComputedTargets, target: Local, next: number): void {
    const writer = this.#writer;
    const { f } = writer;
    const { block, successors } = node;
    const { instructionCount, pageOffset } = block;
    const ways = this.#waysOf(node, computed);
    const back = successors.get("return");
    const [only] = ways;
    if (only && ways.length === 1 && back === undefined) {
      const leave = writer.leaveByComputed(get(target), instructionCount, computed.profile, pageOffset);
      const { knowledge } = writer;
      unlikely(ne64(get(target), writer.ripAt(only.offset)), [leave])(f);
      writer.knowledge = knowledge;
      return this.#edge(instructionCount, only.successor, only.offset, only.guard);
    }
    let retired = instructionCount;
    if (only) {
      this.#step(retired, writer.leaveUsually(OUTCOME.indirect, get(target), 0));
      retired = 0;
      const switched = ways.map((way) => ({ ...way, go: () => this.#go(way.successor, way.offset, way.guard) }));
      writeTargetSwitch(writer, target, switched);
    }
    if (back === undefined) return writer.leaveByComputed(get(target), retired, computed.profile, pageOffset)(f);
    const links = this.#linksOf(computed, ways);
    writer.callComputed(target, retired, { ...computed, links }, pageOffset, next, this.#liveAt(back));
    this.#edge(0, back, next);
  }

  /** Where it leads in the region. */
  #waysOf({ block, successors }: RegionNode, { profile, expected }: ComputedTargets): readonly Way[] {
    return expected.flatMap(({ offset, distance, share }, n): Way[] => {
      const successor = successors.get(`way ${n}`);
      if (successor === undefined) return [];
      if (!needsGuard(block, (this.#nodes[successor] as RegionNode).block)) return [{ offset, share, successor }];
      const slot = this.#setting.linkTo(profile, distance);
      return slot === 0 ? [] : [{ offset, share, successor, guard: { slot, blockOffset: block.pageOffset } }];
    });
  }

  /** Functions that are called by their links: expected ones that are not inlined. */
  #linksOf({ profile, expected }: ComputedTargets, inlined: readonly Way[]): readonly ComputedLink[] {
    return expected.flatMap(({ offset, distance }) => {
      if (inlined.some((way) => way.offset === offset)) return [];
      const slot = this.#setting.linkTo(profile, distance);
      return slot === 0 ? [] : [{ offset, slot }];
    });
  }

  /** A return of an inlined function goes on behind its call, if that is where it goes. */
  #return({ block, successors }: RegionNode, target: Code): void {
    const writer = this.#writer;
    const { f, knowledge } = writer;
    const successor = successors.get("back");
    const leave = writer.leaveByReturn(target, block.instructionCount);
    if (successor === undefined) return leave(f);
    const { pageOffset } = (this.#nodes[successor] as RegionNode).block;
    unlikely(ne64(target, writer.ripAt(pageOffset)), [leave])(f);
    writer.knowledge = knowledge;
    this.#edge(block.instructionCount, successor, pageOffset);
  }

  /** To a node of the region, after `retired` instructions. `target`: its offset. `guard`: the slot that must lead there. */
  #edge(retired: number, successor: number, target: number, guard?: Guard): void {
    const writer = this.#writer;
    this.#step(retired, writer.leave(OUTCOME.indirect, target, 0));
    this.#go(successor, target, guard);
  }

  /** A block ends: counts its instructions, and leaves if the deadline has come. */
  #step(retired: number, leave: Code): void {
    const writer = this.#writer;
    const { f, knowledge } = writer;
    writer.retire(retired)(f);
    unlikely(op("i64.ge_u", get(writer.count), readSlot(STATE.instructionDeadline)), [leave])(f);
    writer.knowledge = knowledge;
  }

  #go(successor: number, target: number, guard?: Guard): void {
    const writer = this.#writer;
    const { f, knowledge } = writer;
    const node = this.#nodes[successor] as RegionNode;
    if (guard) writer.guard(target, guard.slot, guard.blockOffset, node.block.address)(f);
    const label = this.#loops.get(successor) ?? (node.isMerge ? this.#merges.get(successor) : undefined);
    if (label) {
      writer.flags.settleForm()(f);
      f.br(label);
    } else this.#tree(successor);
    writer.knowledge = knowledge;
  }
}

function relativeTarget(block: CompiledBlock): number {
  return block.pageOffset + (block.operations.at(-1)?.fields.disp ?? 0);
}
