// Changes to adapters that the interface makes, and how they are named.
import { changeConfig } from "../../../main/contract/change-config.ts";
import { AppError } from "../../../native-core/common/errors.ts";
import { ADAPTERS_MAX, type AdapterConfig, defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

/** What a cable leads to, in words. */
export function networkName({ network, networkName: name }: Pick<AdapterConfig, "network" | "networkName">): string {
  const kind = i18n.t(`network.kinds.${network}`);
  return network === "internal" || network === "host-only" ? `${kind} “${name}”` : kind;
}

/** A new adapter beside `adapters`, with an address of its own. */
export function newAdapter(adapters: readonly AdapterConfig[]): AdapterConfig {
  const bytes = crypto.getRandomValues(new Uint8Array(3));
  const mac = `52:54:00:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
  for (let number = 0; number < ADAPTERS_MAX; number++) {
    const id = `nic${number}`;
    if (!adapters.some((adapter) => adapter.id === id)) return defaultAdapter(id, mac);
  }
  throw new AppError("INVALID_ARGUMENT", `there are ${ADAPTERS_MAX} adapters already`);
}

/** Changes one adapter of a machine at once, whatever the machine is doing. Failures become notifications. */
export async function changeAdapter(
  machineId: string,
  adapterId: string,
  change: Partial<AdapterConfig>,
): Promise<void> {
  try {
    await changeConfig(client, machineId, (config) => ({
      ...config,
      adapters: config.adapters.map((each) => (each.id === adapterId ? { ...each, ...change } : each)),
    }));
  } catch (error) {
    notifyFailure(i18n.t("network.notChanged"), toFailure(error));
  }
}

export async function toggleCapture(machineId: string, adapterId: string, on: boolean): Promise<void> {
  try {
    const { file } = await client.networks.capture({ id: machineId, adapterId, on });
    if (file !== null) notify({ kind: "info", title: i18n.t("network.capturing"), detail: file });
  } catch (error) {
    notifyFailure(i18n.t("network.notChanged"), toFailure(error));
  }
}
