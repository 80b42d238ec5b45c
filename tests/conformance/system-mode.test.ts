// A few of the random system-mode sequences (scripts/conformance/fuzz-system.ts), on QEMU's TCG and here: what the first exception or
// interrupt finds must be the same.
import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../native-core/cpu/jit/jit.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { compareSystem } from "../../scripts/conformance/system/compare.ts";
import { makeSystemCase } from "../../scripts/conformance/system/generator.ts";
import { buildSystemImage } from "../../scripts/conformance/system/image.ts";
import { coreRunner, qemuRunner, type SystemRunner } from "../../scripts/conformance/system/runners.ts";

const SEED = "subset";
const COUNT = 120;
const TIMEOUT_MS = 60_000;
const TOOLS = ["qemu-system-x86_64", "as", "ld", "objcopy", "nm"] as const;
const missing = TOOLS.filter((tool) => spawnSync(tool, ["--version"]).status !== 0);

describe.skipIf(missing.length > 0)(`random system code beside QEMU ${missing.join(", ")}`, async () => {
  if (missing.length > 0) return;
  const image = buildSystemImage();
  const tcg = qemuRunner(image);
  const cases = Array.from({ length: COUNT }, (_, n) => makeSystemCase(`${SEED}/${n}`, n, image));
  const module = await interpreterModule();
  afterAll(() => tcg.dispose());

  it(
    "ends alike, interpreted and compiled",
    async () => {
      const eager = { ...DEFAULT_JIT_OPTIONS, threshold: 1, batch: 1 };
      const runners: SystemRunner[] = [tcg, coreRunner(image, module, "off"), coreRunner(image, module, eager)];
      const [expected = [], ...actual] = await Promise.all(runners.map((runner) => runner.run(cases)));
      for (const outcomes of actual) {
        const different = cases.flatMap((one, n) => {
          const [want, got] = [expected[n], outcomes[n]];
          if (want === undefined || got === undefined) return [`${SEED}/${n}: no outcome`];
          const { differences } = compareSystem(one, want, got);
          return differences.length === 0 ? [] : [`${SEED}/${n} (${one.mode}): ${differences.slice(0, 4).join("; ")}`];
        });
        expect(different).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );
});
