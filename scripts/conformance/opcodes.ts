// Which opcodes are undefined: every opcode of the legacy maps, with each mandatory prefix, REX.W, /reg, register and memory form, in user
// mode, here and on this machine's processor. Prints where one raises #UD and the other does not.
//   node scripts/conformance/opcodes.ts
// What the real processor has more (SSE4A, GFNI, direct stores) is expected; an opcode that only the core knows is a mistake.
import { InterpreterSubject } from "./interpreter-subject.ts";
import { type NativeCase, NativeRunner } from "./native.ts";
import { background, type Mode, WINDOW_ADDRESS } from "./vector-format.ts";

const PREFIXES: Readonly<Record<string, readonly number[]>> = { NP: [], "66": [0x66], F3: [0xf3], F2: [0xf2] };

interface OpcodeSpace {
  readonly name: string;
  readonly lead: readonly number[];
  /** Prefixes, escapes, VEX and its like; what leaves user mode, ends a case, or takes away a segment. */
  readonly left: ReadonlySet<number>;
}

const SPACES: readonly OpcodeSpace[] = [
  {
    name: "one byte",
    lead: [],
    left: new Set([
      ...[0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x62, 0x8f, 0xc4, 0xc5],
      ...[0x07, 0x17, 0x1f, 0x8e, 0x9a, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xea, 0xf1, 0xf4],
      ...Array.from({ length: 16 }, (_, n) => 0x40 + n),
    ]),
  },
  {
    name: "0F",
    lead: [0x0f],
    left: new Set([0x00, 0x01, 0x05, 0x07, 0x0f, 0x34, 0x35, 0x38, 0x3a, 0xa1, 0xa9, 0xb2, 0xb4, 0xb5]),
  },
  { name: "0F 38", lead: [0x0f, 0x38], left: new Set() },
  { name: "0F 3A", lead: [0x0f, 0x3a], left: new Set() },
];
const VECTOR_UD = 6;
const RBX = 3;
const TAIL = [0, 0, 0, 0, 0, 0];

interface Named {
  readonly opcode: string;
  readonly form: string;
  readonly one: NativeCase;
}

function casesOf(space: OpcodeSpace, mode: Mode): Named[] {
  const found: Named[] = [];
  for (let opcode = 0; opcode < 256; opcode++) {
    if (space.left.has(opcode)) continue;
    for (const [prefix, bytes] of Object.entries(PREFIXES)) {
      // RDFSBASE and its like would take the runner's segments away.
      const forms = space.name === "0F" && opcode === 0xae && prefix === "F3" ? [0] : [0, 3];
      for (const rex of mode === "64" ? [[], [0x48]] : [[]]) {
        for (const mod of forms) {
          for (let reg = 0; reg < 8; reg++) {
            const input = background(mode);
            input.general[RBX] = WINDOW_ADDRESS + 256n;
            const code = [...bytes, ...rex, ...space.lead, opcode, (mod << 6) | (reg << 3) | RBX, ...TAIL];
            found.push({
              opcode: `${prefix}${rex.length > 0 ? " W1" : ""} ${opcode.toString(16).padStart(2, "0")}`,
              form: `/${reg}${mod === 3 ? "r" : "m"}`,
              one: { mode, code: Uint8Array.from(code), input },
            });
          }
        }
      }
    }
  }
  return found;
}

function print(title: string, found: readonly Named[]): void {
  if (found.length === 0) return;
  console.log(`  ${title}`);
  for (const [opcode, forms] of Map.groupBy(found, (named) => named.opcode)) {
    console.log(`    ${opcode}: ${forms.length === 16 ? "all" : forms.map(({ form }) => form).join(" ")}`);
  }
}

const subject = new InterpreterSubject();
const runner = new NativeRunner();
let mistakes = 0;
for (const mode of ["64", "legacy"] as const) {
  for (const space of SPACES) {
    const cases = casesOf(space, mode);
    const outcomes = runner.run(cases.map(({ one }) => one));
    const differing = cases.flatMap((named, n) => {
      const there = outcomes[n]?.fault?.vector === VECTOR_UD;
      const here = subject.run(mode, named.one.code, named.one.input).fault?.vector === VECTOR_UD;
      return there === here ? [] : [{ ...named, here }];
    });
    console.log(`${mode} ${space.name}: ${cases.length} cases, ${differing.length} differ`);
    const known = differing.filter(({ here }) => !here);
    print("only the core knows:", known);
    print(
      "only the processor knows:",
      differing.filter(({ here }) => here),
    );
    mistakes += known.length;
  }
}
runner.dispose();
process.exitCode = mistakes > 0 ? 1 : 0;
