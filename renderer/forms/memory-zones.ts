// Where a guest's memory starts to hurt the host: above half of what is free now.
import type { HostInfo } from "../../main/contract/schemas.ts";
import type { Zones } from "./range-field.tsx";

const COMFORTABLE_SHARE = 0.5;

export function memoryZones(host: HostInfo | null): Zones | undefined {
  if (!host) return undefined;
  const freeMiB = Math.round(host.freeMemoryBytes / 2 ** 20);
  return { warnFrom: freeMiB * COMFORTABLE_SHARE, freeMiB };
}
