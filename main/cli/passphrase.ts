// Passphrases come from the terminal, unseen, or from standard input, a line each: arguments and the environment are there for others to read.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { AppError } from "../../native-core/common/errors.ts";

/** One passphrase for each prompt. `repeated`: asked for twice where a person types it, because nobody sees it. */
export async function readPassphrases(prompts: readonly { text: string; repeated?: true }[]): Promise<string[]> {
  const isTerminal = Boolean(process.stdin.isTTY);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: isTerminal });
  const source = lines[Symbol.asyncIterator]();
  const ask = async (text: string): Promise<string> => {
    if (isTerminal) process.stderr.write(text);
    const { value, done } = await source.next();
    if (isTerminal) process.stderr.write("\n");
    if (done || value === "") throw noPassphrase("There is no passphrase");
    return value as string;
  };
  try {
    const found: string[] = [];
    for (const { text, repeated } of prompts) {
      const passphrase = await ask(`${text}: `);
      if (repeated && isTerminal && (await ask("The same again: ")) !== passphrase) {
        throw noPassphrase("The two are not the same");
      }
      found.push(passphrase);
    }
    return found;
  } finally {
    lines.close();
  }
}

function noPassphrase(message: string): AppError {
  return new AppError("INVALID_ARGUMENT", message, {
    field: "passphrase",
    consequence: "Nothing was changed.",
    remedy: "Type it, or give it on standard input, one line for each.",
  });
}
