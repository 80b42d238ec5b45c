// terrarium://machine/<id>: opens the app at that machine. Links come from anywhere, so nothing else is understood and nothing starts.

/** The route inside the app, or null when it is not a link of ours. */
export function routeOfLink(link: string): string | null {
  const match = /^terrarium:\/\/machine\/([0-9a-f]{12})\/?$/.exec(link);
  return match?.[1] ? `machines/${match[1]}` : null;
}

/** The first link among a program's arguments. */
export function linkIn(argv: readonly string[]): string | null {
  return argv.find((argument) => argument.startsWith("terrarium://")) ?? null;
}
