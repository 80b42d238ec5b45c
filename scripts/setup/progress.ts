// Progress of set-up: one line per step, with its duration, readable on a terminal and in a log.

let stepStart = 0;
let stepTitle = "";

/** Runs one step and prints how it went. A failure is rethrown; the caller prints the remedy. */
export async function step<T>(title: string, run: () => Promise<T> | T): Promise<T> {
  stepStart = performance.now();
  stepTitle = title;
  process.stderr.write(`  ${title} ...\n`);
  const result = await run();
  process.stderr.write(`  ${title}: done in ${seconds(performance.now() - stepStart)}\n`);
  return result;
}

/** A line of news within the current step. */
export function note(text: string): void {
  process.stderr.write(`    ${stepTitle ? "" : "  "}${text}\n`);
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** A failure of set-up that the user can do something about: what is missing and the remedy, in one line. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}
