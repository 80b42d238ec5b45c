// `npm run profile -- NAME [--seconds N] [--system-map FILE] [--top N]`: where the time of a running machine goes. The guest runs as always;
// what is counted is counted all the time. --system-map names places in a Linux kernel without address randomization (`nokaslr`).
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Session } from "../main/cli/session.ts";
import { resolveHome } from "../main/store/data-folder.ts";
import { isAppError } from "../native-core/common/errors.ts";
import type { VmProfile } from "../native-core/protocol/engine.ts";
import { profileFigures } from "../native-core/protocol/profile-figures.ts";
import { SystemMap } from "../native-core/protocol/system-map.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    home: { type: "string" },
    seconds: { type: "string", default: "5" },
    "system-map": { type: "string" },
    top: { type: "string", default: "20" },
  },
});
const [name] = positionals;
if (name === undefined) {
  process.stderr.write("usage: npm run profile -- NAME [--seconds N] [--system-map FILE] [--top N] [--home DIR]\n");
  process.exit(2);
}

function report(profile: VmProfile, symbols: SystemMap | undefined, top: number): string {
  const { ms, cpuMs, instructions, tlbMisses, compiled, sampleCount } = profile;
  const figures = profileFigures(profile, symbols);
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return [
    `${(ms / 1000).toFixed(1)} s, processor ${(cpuMs / 1000).toFixed(1)} s: ${(instructions / 1e6).toFixed(1)} M instructions, ${figures.mips.toFixed(0)} MIPS`,
    `compiled ${percent(figures.compiledShare)}, interpreted ${percent(1 - figures.compiledShare)}`,
    `page walks ${tlbMisses}, ${figures.walksPerMillion.toFixed(0)} per million instructions`,
    `compiled meanwhile: ${compiled.regions} regions in ${compiled.modules} modules, ${compiled.wasmBytes} bytes, ${compiled.compileMs.toFixed(0)} ms`,
    "",
    "from compiled code to the interpreter   per million instructions",
    ...figures.exits.map(
      ({ reason, count, perMillion }) =>
        `  ${reason.padEnd(10)} ${String(count).padStart(12)} ${perMillion.toFixed(0).padStart(12)}`,
    ),
    "",
    `places (${sampleCount} samples)`,
    ...figures.places
      .slice(0, top)
      .map(({ place, user, share }) => `  ${percent(share).padStart(7)}  ${place}${user ? " user" : ""}`),
    "",
  ].join("\n");
}

const session = new Session({ home: resolveHome(values.home), json: false });
try {
  const { id } = await session.machine(name);
  const symbols =
    values["system-map"] === undefined ? undefined : new SystemMap(readFileSync(values["system-map"], "utf8"));
  const profile = await (await session.client()).machines.profile({ id, seconds: Number(values.seconds) });
  process.stdout.write(report(profile, symbols, Number(values.top)));
} catch (error) {
  if (!isAppError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  session.close();
}
