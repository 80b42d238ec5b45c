// What all launchers of VM processes share: the environment they hand down, and the last words they keep.

/** Windows can't open sockets without SystemRoot; the temporary folder may hold the data socket. */
const PASSED_ON = ["SystemRoot", "TMPDIR", "TEMP", "TMP"] as const;

export function minimalEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

const TAIL_CHARACTERS = 4096;

export class StderrTail {
  text = "";

  constructor(stderr: NodeJS.ReadableStream | null) {
    stderr?.setEncoding("utf8");
    stderr?.on("data", (text: string) => this.add(text));
  }

  add(text: string): void {
    this.text = (this.text + text).slice(-TAIL_CHARACTERS);
  }
}
