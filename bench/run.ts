// `npm run bench -- SUITE [--rounds N] [--json FILE] [--verbose]`: side-by-side measurements against the peers. Benchmarks are never tests.
// `--verbose`: suite idle says which threads it is.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { buildAll } from "../scripts/setup/build.ts";
import { BENCH_TOOLS, requireTools } from "../scripts/setup/debian.ts";
import { bootSuite } from "./suites/boot.ts";
import { diskSuite } from "./suites/disk.ts";
import { forkSuite } from "./suites/fork.ts";
import { guestSuite } from "./suites/guest.ts";
import { idleSuite } from "./suites/idle.ts";
import { interpreterSuite } from "./suites/interpreter.ts";
import { microSuite } from "./suites/micro.ts";
import { netSuite } from "./suites/net.ts";
import { snapshotSuite } from "./suites/snapshot.ts";
import { markdown, type Report } from "./table.ts";

type Suite = (rounds: number, progress: (text: string) => void, verbose: boolean) => Promise<Report>;

/** Suites that drive the interface are beside its tests, whose helpers they share; from here they are only run. */
function interfaceSuite(name: string): Suite {
  return async (rounds, progress, verbose) => {
    const { suite } = (await import(new URL(`../tests/e2e/bench/${name}.ts`, import.meta.url).href)) as {
      suite: Suite;
    };
    return suite(rounds, progress, verbose);
  };
}

const SUITES: Record<string, Suite> = {
  boot: bootSuite,
  guest: guestSuite,
  micro: microSuite,
  interpreter: interpreterSuite,
  idle: idleSuite,
  snapshot: snapshotSuite,
  fork: forkSuite,
  disk: diskSuite,
  app: interfaceSuite("app"),
  display: interfaceSuite("display"),
  net: netSuite,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(SUITES);
const unknown = names.filter((name) => !SUITES[name]);
if (unknown.length > 0) {
  process.stderr.write(`unknown suite ${unknown.join(", ")}; there are ${Object.keys(SUITES).join(", ")}\n`);
  process.exit(2);
}
// A peer that cannot be installed is named in the table instead.
await requireTools(BENCH_TOOLS).catch((error: Error) => process.stderr.write(`${error.message}\n`));
await buildAll();
const reports: Report[] = [];
for (const name of names) {
  const progress = (text: string) => void process.stderr.write(`  ${name}: ${text}\n`);
  const report = await SUITES[name]?.(Number(values.rounds), progress, values.verbose);
  if (!report) continue;
  reports.push(report);
  process.stdout.write(`\n${markdown(report)}\n`);
}
if (values.json) await writeFile(values.json, `${JSON.stringify(reports, null, 2)}\n`);
