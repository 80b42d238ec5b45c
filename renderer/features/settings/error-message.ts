// The first message of an error that may sit on the field itself or on a part of it (a list's third entry, say).
export function errorMessage(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { message } = error as { message?: unknown };
  if (typeof message === "string" && message) return message;
  for (const [key, part] of Object.entries(error)) {
    const found = key === "ref" ? undefined : errorMessage(part);
    if (found) return found;
  }
  return undefined;
}
