// The decoder against an independent one: every instruction of a system binary that the rows know must have the same text and length.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { disassemble } from "../../../native-core/x86/decoder/disassemble.ts";

const BINARY = ["/bin/busybox", "/bin/bash", "/bin/ls"].find((path) => existsSync(path));
const SAMPLE = 60_000;

interface Listed {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
}

function list(binary: string): Listed[] | undefined {
  const run = spawnSync("objdump", ["-d", "-w", "-Mintel", binary], { maxBuffer: 1 << 30, encoding: "latin1" });
  if (run.status !== 0) return undefined;
  return run.stdout.split("\n").flatMap((line) => {
    const match = /^\s+([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t(.*)/.exec(line);
    if (!match) return [];
    const bytes = Uint8Array.from((match[2] ?? "").trim().split(" "), (byte) => Number.parseInt(byte, 16));
    return [{ address: BigInt(`0x${match[1]}`), bytes, text: normalize(match[3] ?? "") }];
  });
}

/** Drops symbols and decoration that is a matter of taste. */
function normalize(text: string): string {
  return text
    .replace(/\s*#.*/, "")
    .replace(/ <.*>$/, "")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^(?:(?:bnd|notrack|data16|cs|ds|rex\.?\w*|repz(?= ret)) )+/, "")
    .replace(/^(j\w+|call|loop\w*) ([0-9a-f]+)$/, "$1 0x$2")
    .replace("movabs", "mov")
    .replace("+0x0]", "]")
    .replace(
      /\[rip\+0x(f{8}[0-9a-f]{8})\]/,
      (_, hex: string) => `[rip-0x${((1n << 64n) - BigInt(`0x${hex}`)).toString(16)}]`,
    );
}

/** What the reference names by features or encodings that the rows do not tell apart. */
const OTHER_NAMES = /^(nop|endbr64|tzcnt|lzcnt|prefetch\w*|xchg ax,ax|movq|rep stos|stos)/;

const listing = BINARY ? list(BINARY) : undefined;

describe.skipIf(!listing)("decoder compared with objdump", () => {
  it("agrees on length and text of all instructions it knows", () => {
    const differences: string[] = [];
    let compared = 0;
    let unknown = 0;
    for (const { address, bytes, text } of (listing ?? []).slice(0, SAMPLE)) {
      const own = disassemble(bytes, address, 8);
      if (own.text === "(bad)") unknown++;
      else {
        compared++;
        if (own.length !== bytes.length || (own.text !== text && !OTHER_NAMES.test(text))) {
          differences.push(`${text} | ${own.text}`);
        }
      }
    }
    expect(differences.slice(0, 20)).toEqual([]);
    expect(compared).toBeGreaterThan(1000);
    // x87 and vector extensions are not all there.
    expect(unknown).toBeLessThan(compared / 20);
  });
});
