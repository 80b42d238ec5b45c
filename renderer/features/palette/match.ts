// Matching of the command palette: every word typed must begin a word of the entry.
export function matchesWords(text: string, typed: string): boolean {
  const words = text.toLocaleLowerCase().split(/\s+/);
  return typed
    .trim()
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((part) => part === "" || words.some((word) => word.startsWith(part)));
}
