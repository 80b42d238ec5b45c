// Whether display and console of a machine should be connected now, steady over states that keep what there is.
import { useState } from "react";
import type { MachineState } from "../../../main/contract/schemas.ts";
import { hasChannels } from "./rules.ts";

export function useChannels(state: MachineState): boolean {
  const now = hasChannels(state);
  const [last, setLast] = useState(now ?? false);
  if (now !== undefined && now !== last) setLast(now);
  return now ?? last;
}
