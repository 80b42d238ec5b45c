// Checks what a client of the network process says first.
import { z } from "zod";
import type { HubHello } from "../../network/switch/wire-format.ts";

const helloSchema = z.strictObject({
  kind: z.enum(["internal", "host-only"]),
  network: z.string().min(1).max(64),
  machineId: z.string().max(64),
  adapterId: z.string().max(64),
});

export function parseHubHello(line: string): HubHello | undefined {
  try {
    return helloSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
