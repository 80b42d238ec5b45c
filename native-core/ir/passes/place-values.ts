// Decides where each value of a fragment is computed: in a local where it is defined, or inside the expression of its only user.
//
// A pure value with one use moves to its user. A read moves too if nothing it depends on changes on the way; one that may fault moves
// only past what changes nothing at all, and never into a branch. Everything else gets a local; values nobody needs are not computed.
import { ALL_PARTS, changes, dependsOn } from "../effects.ts";
import type { Fragment, Statement, Value } from "../nodes.ts";
import { hasEffect, operandsOf, operandsOfStatement } from "../walk.ts";

export interface Placement {
  /** Number of times the value is needed; 0 if it can be dropped. */
  uses(value: Value): number;
  /** Whether the value is computed at its definition, into a local. */
  hasLocal(value: Value): boolean;
}

export interface PlacementOptions {
  /** How often a back end evaluates each operand of a flag update. */
  readonly flagOperandUses: (statement: Statement & { kind: "setFlags" }) => readonly [number, number, number];
}

interface Place {
  /** Position in preorder. */
  readonly index: number;
  /** The statement list it is in, and the innermost loop around it. */
  readonly list: number;
  readonly loop: number;
}

export function placeValues(fragment: Fragment, options: PlacementOptions): Placement {
  const placer = new Placer(options);
  placer.collect(fragment.body, 0, 0);
  placer.count();
  return placer;
}

class Placer implements Placement {
  readonly #options: PlacementOptions;
  readonly #uses = new Map<number, number>();
  /** The place or value that uses a value last seen (only asked where there is one use). */
  readonly #userValue = new Map<number, Value>();
  readonly #userPlace = new Map<number, Place>();
  readonly #definitions = new Map<number, Place>();
  readonly #changes: number[] = [];
  readonly #variableWrites = new Map<number, number[]>();
  readonly #roots: { value: Value; place: Place; times: number }[] = [];
  readonly #decided = new Map<number, boolean>();
  #lists = 0;
  #loops = 0;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  uses(value: Value): number {
    return this.#uses.get(value.id) ?? 0;
  }

  // --- collecting -----------------------------------------------------------------------------------------------------------

  collect(body: readonly Statement[], list: number, loop: number): void {
    for (const statement of body) {
      const place: Place = { index: this.#changes.length, list, loop };
      this.#changes.push(changes(statement));
      if (statement.kind === "define") {
        this.#definitions.set(statement.value.id, place);
        if (hasEffect(statement.value.node)) this.#roots.push({ value: statement.value, place, times: 0 });
      } else if (statement.kind === "loop") {
        const inner = ++this.#loops;
        const innerList = ++this.#lists;
        this.collect(statement.body, innerList, inner);
        const end: Place = { index: this.#changes.length, list: innerList, loop: inner };
        this.#changes.push(0);
        this.#roots.push({ value: statement.again, place: end, times: 1 });
      } else {
        const times = statement.kind === "setFlags" ? this.#options.flagOperandUses(statement) : undefined;
        operandsOfStatement(statement).forEach((value, i) => {
          this.#roots.push({ value, place, times: times?.[i] ?? 1 });
        });
        if (statement.kind === "setVariable") {
          const writes = this.#variableWrites.get(statement.variable.id) ?? [];
          writes.push(place.index);
          this.#variableWrites.set(statement.variable.id, writes);
        }
        if (statement.kind === "if") {
          this.collect(statement.then, ++this.#lists, loop);
          this.collect(statement.otherwise, ++this.#lists, loop);
        }
      }
    }
  }

  count(): void {
    for (const { value, place, times } of this.#roots) {
      if (times === 0 && hasEffect(value.node)) this.#visitOperands(value);
      if (times > 0) {
        this.#userPlace.set(value.id, place);
        this.#userValue.delete(value.id);
        this.#use(value, times);
      }
    }
  }

  readonly #visited = new Set<number>();

  #use(value: Value, times: number): void {
    this.#uses.set(value.id, this.uses(value) + times);
    this.#visitOperands(value);
  }

  #visitOperands(value: Value): void {
    if (this.#visited.has(value.id)) return;
    this.#visited.add(value.id);
    for (const operand of operandsOf(value.node)) {
      this.#userValue.set(operand.id, value);
      this.#use(operand, 1);
    }
  }

  // --- deciding -------------------------------------------------------------------------------------------------------------

  hasLocal(value: Value): boolean {
    const { op } = value.node;
    if (op === "const" || op === "field") return false;
    let decided = this.#decided.get(value.id);
    if (decided === undefined) {
      decided = this.uses(value) !== 1 || !this.#canMove(value);
      this.#decided.set(value.id, decided);
    }
    return decided;
  }

  /** Where the only user of a value is evaluated. */
  #placeOfUse(value: Value): Place | undefined {
    const user = this.#userValue.get(value.id);
    if (!user) return this.#userPlace.get(value.id);
    return this.hasLocal(user) ? this.#definitions.get(user.id) : this.#placeOfUse(user);
  }

  #canMove(value: Value): boolean {
    const { node } = value;
    if (node.op === "pure") return true;
    const from = this.#definitions.get(value.id);
    const to = this.#placeOfUse(value);
    if (!from || !to || from.loop !== to.loop) return false;
    if (hasEffect(node)) {
      if (node.op === "callHelper" || from.list !== to.list) return false;
      return !this.#changedBetween(from.index, to.index, ALL_PARTS);
    }
    if (node.op === "getVariable") {
      const writes = this.#variableWrites.get(node.variable.id) ?? [];
      return !writes.some((index) => index > from.index && index < to.index);
    }
    return !this.#changedBetween(from.index, to.index, dependsOn(node));
  }

  #changedBetween(from: number, to: number, parts: number): boolean {
    for (let index = from + 1; index < to; index++) if ((this.#changes[index] as number) & parts) return true;
    return false;
  }
}
