// Nothing is advertised that does not work: of every instruction feature of every model, each row is executed on the whole vCPU, in user
// mode, and does not end in #UD. What it computes is proven by the recorded vectors (tests/conformance).
import { describe, expect, it } from "vitest";
import { isInstructionFeature } from "../../../../native-core/cpu/cpuid/features.ts";
import { featuresOf } from "../../../../native-core/cpu/cpuid/models.ts";
import { VECTOR } from "../../../../native-core/x86/registers.ts";
import type { InstructionRow } from "../../../../native-core/x86/row.ts";
import { ROWS } from "../../../../native-core/x86/rows.ts";
import { casesOf, formChoices } from "../../../../scripts/conformance/cases.ts";
import { InterpreterSubject } from "../../../../scripts/conformance/interpreter-subject.ts";

const subject = new InterpreterSubject();

/** Exceptions of a few cases of each form in 64-bit code; now and then one has a prefix that makes it undefined. */
function exceptionsOf(row: InstructionRow): (number | undefined)[] {
  return formChoices(row, "64").flatMap((choice) =>
    casesOf(choice, 4).map(({ code, input }) => subject.run("64", code, input).fault?.vector),
  );
}

/** They leave user mode, or are not for it: tests/unit/x86/privilege-change and cpu/vcpu/system-features execute them. */
const NOT_USER_MODE: readonly string[] = [
  "SYSCALL",
  "SYSRET",
  "SYSENTER",
  "SYSEXIT",
  "STAC",
  "CLAC",
  "MONITOR",
  "MWAIT",
];

describe("a feature that CPUID shows", () => {
  it.each(featuresOf("max").filter(isInstructionFeature))("%s has instructions, and they are executed", (feature) => {
    const rows = ROWS.filter((row) => row.feature === feature && row.mode !== "legacy");
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      if (NOT_USER_MODE.includes(row.mnemonic)) continue;
      // Some prefixes make an undefined opcode of it (FXSAVE with 66).
      const runs = exceptionsOf(row).some((exception) => exception !== VECTOR.UD);
      expect([row.mnemonic, runs]).toEqual([row.mnemonic, true]);
    }
  });
});
