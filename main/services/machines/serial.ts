// Typing into serial ports and waiting for what they print.
import { AppError } from "../../../native-core/common/errors.ts";
import type { OutputMatch } from "../../supervisor/console-tap.ts";
import { vmOf } from "./lifecycle.ts";
import type { Machine } from "./machine.ts";

export async function sendText(machine: Machine, port: number, text: string): Promise<void> {
  await vmOf(machine).client.request("sendText", { port, text });
}

export async function waitForOutput(
  machine: Machine,
  wanted: { readonly port: number; readonly pattern: string; readonly timeoutMs: number; readonly fromOffset: number },
  signal?: AbortSignal,
): Promise<OutputMatch> {
  let pattern: RegExp;
  try {
    pattern = new RegExp(wanted.pattern, "m");
  } catch (error) {
    throw new AppError(
      "INVALID_ARGUMENT",
      `It is not a regular expression: ${wanted.pattern}`,
      { field: "pattern", remedy: "Escape special characters with a backslash." },
      { cause: error },
    );
  }
  return vmOf(machine).console(wanted.port).waitFor(pattern, wanted.fromOffset, wanted.timeoutMs, signal);
}
