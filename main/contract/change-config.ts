// Changes settings of a machine that others may be changing, too: read, change, write back, and again when somebody was faster.
import type { ContractRouterClient } from "@orpc/contract";
import type { MachineConfig } from "../../native-core/config/machine-config.ts";
import type { Contract } from "./index.ts";
import { failureSchema } from "./schemas.ts";

type Client = Pick<ContractRouterClient<Contract>, "machines">;
type Configured = Awaited<ReturnType<Client["machines"]["configure"]>>;

/** More than commands that a script starts side by side. */
const ATTEMPTS = 50;

/** `change` gets the newest configuration, and is called again when that has changed before the change arrived. Rejects as `configure`. */
export async function changeConfig(
  client: Client,
  id: string,
  change: (config: MachineConfig) => MachineConfig,
): Promise<Configured> {
  for (let attempt = 1; ; attempt++) {
    const { config, revision } = await client.machines.get({ id });
    const wanted = change(config);
    try {
      return await client.machines.configure({ id, config: wanted, revision });
    } catch (error) {
      if (attempt === ATTEMPTS || !isOutdated(error)) throw error;
    }
  }
}

function isOutdated(error: unknown): boolean {
  const failure = error instanceof Error && "data" in error ? failureSchema.safeParse(error.data).data : undefined;
  return failure?.field === "revision";
}
