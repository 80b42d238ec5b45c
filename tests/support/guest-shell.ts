// The shell of a guest's first serial port, driven through the contract.
import type { RpcClient } from "../../main/rpc/client.ts";

const BOOT_MS = 240_000;
const ANSWER_MS = 60_000;

let commands = 0;

/** Waits for Starter Linux's prompt. */
export async function waitForPrompt(client: RpcClient, id: string): Promise<void> {
  await client.machines.waitForOutput({ id, pattern: "starter:.*# ", timeoutMs: BOOT_MS });
}

/** Runs a command and yields its one line of output. The sum keeps the echo of the typed text from matching. */
export async function inGuest(client: RpcClient, id: string, command: string): Promise<string> {
  commands += 1;
  await client.machines.sendText({ id, text: `echo "<$((${commands}+1000)):$(${command})>"\n` });
  const pattern = `<${commands + 1000}:([^>]*)>`;
  const { groups } = await client.machines.waitForOutput({ id, pattern, timeoutMs: ANSWER_MS });
  return groups[0] ?? "";
}
