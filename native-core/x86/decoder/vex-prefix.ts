// The VEX prefix (SDM 2A 2.3.5), in the terms of the prefixes it stands for.
//
//   C5  R.vvvv.L.pp                    map 0F, X = B = W = 0          R, X, B and vvvv are stored inverted
//   C4  R.X.B.mmmmm  W.vvvv.L.pp
//
// Outside 64-bit mode these bytes are LDS and LES unless bits 7..6 of the second are set, which as ModRM would name a register.

const VEX2 = 0xc5;
const VEX3 = 0xc4;

export class VexPrefix {
  /** As a REX prefix; outside 64-bit mode W only. */
  rex = 0;
  /** 1 = 0F, 2 = 0F 38, 3 = 0F 3A; others are undefined. */
  map = 0;
  /** 0 none, 1 = 66, 2 = F3, 3 = F2. */
  pp = 0;
  l = 0;
  /** Register number; 0 where the field is unused (it holds 1111). */
  vvvv = 0;

  /** Whether a VEX prefix is there, with `opcode` before `next`. */
  static isAt(opcode: number, next: number, long: boolean): boolean {
    return (opcode === VEX2 || opcode === VEX3) && (long || next >= 0xc0);
  }

  /** Decodes the bytes from `at`, behind C5 or C4; yields where the opcode is. */
  decode(bytes: Uint8Array, at: number, opcode: number, long: boolean): number {
    const first = bytes[at] as number;
    const last = opcode === VEX3 ? (bytes[at + 1] as number) : first;
    const inverted = ~first;
    this.rex = (inverted & 0x80) >> 5;
    this.map = 1;
    if (opcode === VEX3) {
      this.rex = ((inverted & 0xe0) >> 5) | ((last & 0x80) >> 4);
      this.map = first & 0x1f;
    }
    this.vvvv = (~last >> 3) & 15;
    if (!long) {
      this.rex &= 8;
      this.vvvv &= 7;
    }
    this.l = (last >> 2) & 1;
    this.pp = last & 3;
    return opcode === VEX3 ? at + 2 : at + 1;
  }
}
