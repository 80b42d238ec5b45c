// What a value means for this host, as zones of a slider: comfortable, tight, too much. The words say the same as the colours.
import type { HostInfo } from "../../main/contract/schemas.ts";
import { i18n } from "../i18n/index.ts";
import { formatMiB } from "../ui/format.ts";

export interface Zones {
  /** From here on it gets tight, and from there on it is more than the host has. */
  readonly warnFrom: number;
  readonly dangerFrom: number;
  /** For a value in one of them. */
  readonly warning: string;
  readonly danger: string;
}

const COMFORTABLE_SHARE = 0.5;
const ALL_BUT_A_LITTLE = 0.9;

/** Above half of what is free now a guest starts to hurt the host. */
export function memoryZones(host: HostInfo | null): Zones | undefined {
  if (!host) return undefined;
  const freeMiB = Math.round(host.freeMemoryBytes / 2 ** 20);
  const free = formatMiB(freeMiB);
  return {
    warnFrom: freeMiB * COMFORTABLE_SHARE,
    dangerFrom: freeMiB * ALL_BUT_A_LITTLE,
    warning: i18n.t("zones.memoryTight", { free }),
    danger: i18n.t("zones.memoryTooMuch", { free }),
  };
}

/** More virtual processors than cores never run at the same time. */
export function processorZones(host: HostInfo | null): Zones | undefined {
  if (!host) return undefined;
  const { cpuCount } = host;
  return {
    warnFrom: cpuCount + 1,
    dangerFrom: 2 * cpuCount + 1,
    warning: i18n.t("zones.processors", { count: cpuCount }),
    danger: i18n.t("zones.processors", { count: cpuCount }),
  };
}

export function zonesOf(path: string, host: HostInfo | null): Zones | undefined {
  if (path === "memoryMiB") return memoryZones(host);
  return path === "cpuCount" ? processorZones(host) : undefined;
}
