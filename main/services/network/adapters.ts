// Network adapters of machines: new ones, their addresses, and changes that reach a running machine at once.
import { randomBytes } from "node:crypto";
import { AppError } from "../../../native-core/common/errors.ts";
import {
  type AdapterConfig,
  defaultAdapter,
  exchangesHardware,
  sameHardware,
} from "../../../native-core/config/network-settings.ts";
import type { PortElsewhere } from "../../../native-core/protocol/network.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill, STATE_NAMES } from "../machines/states.ts";

/** QEMU's prefix of locally administered addresses, which guests and people know. */
function newMac(): string {
  return `52:54:00:${randomBytes(3)
    .toString("hex")
    .replace(/(..)(?=.)/g, "$1:")}`;
}

/** What a new machine has: one adapter on the NAT. */
export function newAdapters(): AdapterConfig[] {
  return [defaultAdapter("nic0", newMac())];
}

/** The same adapters with addresses of their own, for a copy that boots. */
export function withNewAddresses(adapters: readonly AdapterConfig[]): AdapterConfig[] {
  return adapters.map((adapter) => ({ ...adapter, mac: newMac() }));
}

export function needsHub(adapters: readonly AdapterConfig[]): boolean {
  return adapters.some(({ network }) => network === "internal" || network === "host-only");
}

/**
 * Brings new settings of adapters to a machine in its present state, before they are recorded. Rejects, with everything as before, when
 * they can't be had.
 */
export async function applyAdapters(
  context: ServiceContext,
  machine: Machine,
  adapters: readonly AdapterConfig[],
): Promise<void> {
  const isSame = sameHardware(machine.record.config.adapters, adapters);
  // A running guest is given adapters and relieved of them as it is of disks.
  const isPossible = isStill(machine.state)
    ? machine.state !== "saved"
    : machine.vm !== null && !exchangesHardware(machine.record.config.adapters, adapters);
  if (!isSame && !isPossible) {
    const remedy =
      machine.state === "saved"
        ? "Start it and shut it down, or discard the saved state."
        : "Shut the machine down first.";
    throw new AppError(
      "INVALID_STATE",
      `Adapters can't be added, removed or exchanged while the machine is ${STATE_NAMES[machine.state]}`,
      { field: "adapters", consequence: "Nothing was changed.", remedy },
    );
  }
  if (isStill(machine.state) || machine.vm === null) return;
  if (needsHub(adapters)) await context.hub.ensure();
  const taken = portsElsewhere(context, machine);
  await machine.vm.client.request("configureNetwork", { adapters: [...adapters], portsElsewhere: taken });
}

/** What the machines that run beside this one forward. */
export function portsElsewhere({ registry }: ServiceContext, machine: Machine): PortElsewhere[] {
  const others = registry.list().filter((each) => each !== machine && each.vm !== null);
  return others.flatMap(({ name: machineName, record }) =>
    record.config.adapters
      .filter(({ network }) => network === "nat" || network === "host-only")
      .flatMap(({ forwards }) => forwards)
      .map(({ protocol, hostAddress, hostPort }) => ({ protocol, hostAddress, hostPort, machineName })),
  );
}
