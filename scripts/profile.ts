// `npm run profile -- NAME [--seconds N] [--system-map FILE] [--top N]`: where the time of a running machine goes. The guest runs as always;
// what is counted is counted all the time. --system-map names places in a Linux kernel without address randomization (`nokaslr`).
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Session } from "../main/cli/session.ts";
import { resolveHome } from "../main/store/data-folder.ts";
import { isAppError } from "../native-core/common/errors.ts";
import type { VmProfile } from "../native-core/protocol/engine.ts";
import { SystemMap } from "./profile/system-map.ts";

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
  const { ms, cpuMs, instructions, compiledInstructions, tlbMisses, exits, compiled, sampleCount } = profile;
  const millions = (count: number): string => (count / 1e6).toFixed(1);
  const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
  const perMillion = (count: number): string => (count / Math.max(1, instructions / 1e6)).toFixed(0);
  const places = symbols
    ? symbols.merge(profile.samples)
    : profile.samples.map(({ rip, user, count }) => ({ place: user ? `${rip} user` : rip, count }));
  return [
    `${(ms / 1000).toFixed(1)} s, processor ${(cpuMs / 1000).toFixed(1)} s: ${millions(instructions)} M instructions, ${(instructions / ms / 1000).toFixed(0)} MIPS`,
    `compiled ${percent(compiledInstructions, instructions)}, interpreted ${percent(instructions - compiledInstructions, instructions)}`,
    `page walks ${tlbMisses}, ${perMillion(tlbMisses)} per million instructions`,
    `compiled meanwhile: ${compiled.regions} regions in ${compiled.modules} modules, ${compiled.wasmBytes} bytes, ${compiled.compileMs.toFixed(0)} ms`,
    "",
    "from compiled code to the interpreter   per million instructions",
    ...Object.entries(exits).map(
      ([reason, count]) => `  ${reason.padEnd(10)} ${String(count).padStart(12)} ${perMillion(count).padStart(12)}`,
    ),
    "",
    `places (${sampleCount} samples)`,
    ...places.slice(0, top).map(({ place, count }) => `  ${percent(count, sampleCount).padStart(7)}  ${place}`),
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
