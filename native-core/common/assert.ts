// Checks for programmer errors. A failed assertion is a bug, never a user's mistake.

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** For the default branch of a switch over a closed union: the type checker proves it unreachable. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
