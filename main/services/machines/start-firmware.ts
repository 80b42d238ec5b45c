// What a machine without kernel starts with, for lifecycle.ts: its firmware, what of it boots from the network, and the boot menu.
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import type { Resources } from "../host/resources.ts";
import type { Machine } from "./machine.ts";
import { usesUefi } from "./variable-store.ts";

/** Time to look at the screen and to press a key. */
const BOOT_MENU_SECONDS = 10;

/** @throws AppError NOT_FOUND or INVALID_FILE */
export async function firmwareOf(
  resources: Resources,
  config: MachineConfig,
): Promise<Pick<StartRequest, "firmware" | "adapterRoms">> {
  if (config.boot.kernel !== null) return {};
  const firmware = usesUefi(config)
    ? { kind: "uefi" as const, codeFile: (await resources.uefi()).codeFile }
    : await resources.firmware();
  if (!config.boot.order.includes("network")) return { firmware };
  return { firmware, adapterRoms: await adapterRoms(resources, config) };
}

/** UEFI has a driver for virtio adapters, and starts sooner without another one. */
function adapterRoms(resources: Resources, config: MachineConfig): ReturnType<Resources["adapterRoms"]> {
  const models = config.adapters.map(({ model }) => model).filter((model) => model !== "virtio" || !usesUefi(config));
  return resources.adapterRoms(new Set(models));
}

/** The settings for one start that shows the menu. The network is in it, last, where it can be: who opens the menu wants to choose. */
export async function withBootMenu(resources: Resources, config: MachineConfig): Promise<MachineConfig> {
  const { menuSeconds, order } = config.boot;
  const isListed = order.includes("network") || config.adapters.length === 0;
  const hasRoms = isListed || (await adapterRoms(resources, config).catch(() => null)) !== null;
  const boot = {
    ...config.boot,
    menuSeconds: Math.max(menuSeconds, BOOT_MENU_SECONDS),
    order: isListed || !hasRoms ? order : [...new Set([...order, "disk", "cdrom", "network"] as const)],
  };
  return { ...config, boot };
}

/** The menu is firmware's: a machine that goes on, or starts a kernel directly, has none. */
export function requireBootMenu({ name, state, record }: Machine): void {
  if (state !== "saved" && record.config.boot.kernel === null) return;
  const isSaved = state === "saved";
  throw new AppError("INVALID_STATE", `"${name}" does not start through firmware, which has the boot menu`, {
    field: isSaved ? "state" : "boot.kernel",
    consequence: "The machine was not started.",
    remedy: isSaved ? "Discard the saved state first." : "Take the kernel out of its settings first.",
  });
}
