// Reads the settings of VMware's machines (.vmx): lines of `name = "value"`; characters that are not plain are written as |XX.
import { type Appliance, type ApplianceDisk, adapterModelOf, badAppliance, osTypeOf } from "./appliance.ts";

const SLOTS = /^(ide|sata|scsi|nvme)(\d+):(\d+)$/;
const BUS_ORDER = ["ide", "sata", "scsi", "nvme"];

/** @throws AppError INVALID_FILE naming `file` */
export function readVmx(text: string, file: string): Appliance {
  const settings = settingsOf(text);
  const get = (name: string) => settings.get(name.toLowerCase()) ?? "";
  if (get("config.version") === "" && get("virtualHW.version") === "")
    throw badAppliance(file, "is not a machine of VMware");
  const isOn = (name: string) => get(`${name}.present`).toLowerCase() === "true";
  const slots = [...new Set([...settings.keys()].map((key) => key.split(".")[0] ?? ""))]
    .filter((slot) => SLOTS.test(slot) && isOn(slot))
    .sort(compareSlots);
  const isDisc = (slot: string) => /cdrom|atapi/i.test(get(`${slot}.deviceType`));
  const adapters = [...Array(10).keys()].map((index) => `ethernet${index}`).filter(isOn);
  return {
    name: get("displayName") || "Imported",
    description: get("annotation"),
    osType: osTypeOf(get("guestOS")),
    memoryMiB: Number(get("memsize") || 512),
    cpuCount: Number(get("numvcpus") || 1),
    firmware: get("firmware") === "efi" ? "uefi" : "bios",
    disks: slots
      .filter((slot) => !isDisc(slot))
      .map((slot) => ({ file: diskFile(slot, get(`${slot}.fileName`), file), bus: busOf(slot) })),
    adapters: adapters.map((name) => adapterModelOf(get(`${name}.virtualDev`))),
    hasOpticalDrive: slots.some(isDisc),
  };
}

function settingsOf(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/^\s*([\w.:]+)\s*=\s*"([^"\n]*)"/gm)) {
    settings.set(
      name.toLowerCase(),
      value.replace(/\|([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
  }
  return settings;
}

function compareSlots(a: string, b: string): number {
  const [, busA = "", ...placeA] = SLOTS.exec(a) ?? [];
  const [, busB = "", ...placeB] = SLOTS.exec(b) ?? [];
  const number = ([controller = "0", unit = "0"]: string[]) => Number(controller) * 100 + Number(unit);
  return BUS_ORDER.indexOf(busA) - BUS_ORDER.indexOf(busB) || number(placeA) - number(placeB);
}

const busOf = (slot: string): ApplianceDisk["bus"] => (slot.startsWith("ide") ? "ide" : "sata");

function diskFile(slot: string, name: string, file: string): string {
  if (name !== "") return name;
  throw badAppliance(file, `has no file for its disk ${slot}`);
}
