// Opcode maps of VEX-encoded instructions, compiled from the rows at load: for each map and opcode a selection by the fields of the prefix
// (pp, W, L), ModRM.reg and whether ModRM names memory. Opcodes in rows are written as in the manuals: `VEX.256.66.0F38.W0 18 /r`.
import { type FormMode, type RowEncoding, rowEncodings } from "../forms.ts";
import { mayBeMemory, mayBeRegister } from "../operands.ts";
import { buildLeaf, type Leaf, type OpcodeMap, type OpcodeNode } from "./opcode-map.ts";

/** `pp`: 0 none, 1 = 66, 2 = F3, 3 = F2. `w`, `l`, `reg`: undefined where any will do. */
export interface VexEncoding {
  readonly pp: number;
  readonly map: number;
  readonly w: 0 | 1 | undefined;
  readonly l: 0 | 1 | undefined;
  readonly opcode: number;
  readonly reg: number | undefined;
}

const PP: Record<string, number> = { "66": 1, F3: 2, F2: 3 };
const MAPS: Record<string, number> = { "0F": 1, "0F38": 2, "0F3A": 3 };
const LENGTHS: Record<string, 0 | 1 | undefined> = { "128": 0, LZ: 0, "256": 1, LIG: undefined };

export function isVexOpcode(opcode: string): boolean {
  return opcode.startsWith("VEX.");
}

export function parseVexOpcode(text: string): VexEncoding {
  const [prefix = "", opcode = "", digit] = text.split(" ");
  const [, length = "", ...fields] = prefix.split(".");
  const mapName = fields.find((field) => MAPS[field] !== undefined) ?? "";
  return {
    pp: PP[fields[0] ?? ""] ?? 0,
    map: MAPS[mapName] ?? 0,
    w: fields.includes("W0") ? 0 : fields.includes("W1") ? 1 : undefined,
    l: LENGTHS[length],
    opcode: Number.parseInt(opcode, 16),
    reg: digit === undefined ? undefined : Number(digit.slice(1)),
  };
}

/** `memory`: 0 a register form, 1 a memory operand. */
export function vexChoiceIndex(pp: number, w: number, l: number, reg: number, memory: number): number {
  return (((pp * 2 + w) * 2 + l) * 8 + reg) * 2 + memory;
}

const CHOICES = 4 * 2 * 2 * 8 * 2;

/** Node of map * 256 + opcode; maps are numbered as in the prefix, from 1. */
export const VEX_MAPS: Readonly<Record<FormMode, OpcodeMap>> = { "64": buildMap("64"), legacy: buildMap("legacy") };

function buildMap(mode: FormMode): OpcodeMap {
  const map: (OpcodeNode | undefined)[] = new Array(1024);
  for (const encoding of rowEncodings(mode)) {
    if (!isVexOpcode(encoding.row.opcode)) continue;
    const at = parseVexOpcode(encoding.row.opcode);
    // VZEROUPPER and VZEROALL are the only ones without ModRM.
    const modrm = encoding.operands.length > 0;
    const index = at.map * 256 + at.opcode;
    map[index] ??= { modrm, leaf: undefined, choices: new Array(CHOICES) };
    enter(map[index].choices ?? [], encoding, at, buildLeaf(encoding, modrm));
  }
  return map;
}

function enter(choices: (Leaf | undefined)[], encoding: RowEncoding, at: VexEncoding, leaf: Leaf): void {
  const both = (field: 0 | 1 | undefined): readonly number[] => (field === undefined ? [0, 1] : [field]);
  const regs = at.reg === undefined ? [0, 1, 2, 3, 4, 5, 6, 7] : [at.reg];
  const kinds = [mayBeRegister(encoding.operands) ? [0] : [], mayBeMemory(encoding.operands) ? [1] : []].flat();
  for (const w of both(at.w)) {
    for (const l of both(at.l)) {
      for (const reg of leaf.modrm ? regs : [0]) {
        for (const memory of kinds) {
          const index = vexChoiceIndex(at.pp, w, l, reg, memory);
          const other = choices[index];
          if (other)
            throw new Error(`${encoding.row.mnemonic} ${encoding.row.opcode} collides with ${other.row.mnemonic}`);
          choices[index] = leaf;
        }
      }
    }
  }
}
