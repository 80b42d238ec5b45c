// One click from nothing to a running Linux: create Starter, select it, start it, look at it.
import { useState } from "react";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { showPane } from "../../app/navigation.ts";
import { i18n } from "../../i18n/index.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { runCommand } from "../machines/run-command.ts";
import { notifyFailure } from "../notifications/model.ts";

/** True when the machine exists; a failed start is reported and leaves it there. */
export async function createStarter(): Promise<boolean> {
  try {
    const machine = await client.machines.createStarter({});
    adoptMachine(machine);
    showPane("console");
    void runCommand("start", machine);
    return true;
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
    return false;
  }
}

export function useStarter() {
  const [creating, setCreating] = useState(false);
  const createAndStart = async (): Promise<boolean> => {
    setCreating(true);
    const created = await createStarter();
    setCreating(false);
    return created;
  };
  return { creating, createAndStart };
}
