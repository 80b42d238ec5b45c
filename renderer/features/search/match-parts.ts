// A line taken apart into what was searched for and what is between.

export interface LinePart {
  readonly at: number;
  readonly part: string;
  readonly found: boolean;
}

export function partsOf(line: string, text: string, isRegex: boolean): LinePart[] {
  const pattern = patternOf(text, isRegex);
  const parts: LinePart[] = [];
  let at = 0;
  for (const match of pattern === null ? [] : line.matchAll(pattern)) {
    if (match[0] === "") continue;
    if (match.index > at) parts.push({ at, part: line.slice(at, match.index), found: false });
    parts.push({ at: match.index, part: match[0], found: true });
    at = match.index + match[0].length;
  }
  if (at < line.length) parts.push({ at, part: line.slice(at), found: false });
  return parts;
}

/** Null for what is no regular expression; the host says so. */
function patternOf(text: string, isRegex: boolean): RegExp | null {
  try {
    return new RegExp(isRegex ? text : text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "gi");
  } catch {
    return null;
  }
}
