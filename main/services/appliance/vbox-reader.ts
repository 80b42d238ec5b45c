// Reads the settings of VirtualBox's machines (.vbox).
import { type Appliance, type ApplianceDisk, adapterModelOf, badAppliance, osTypeOf } from "./appliance.ts";
import { parseXml, type XmlElement } from "./xml.ts";

/** @throws AppError INVALID_FILE naming `file` */
export function readVbox(text: string, file: string): Appliance {
  const root = parseXml(text, file);
  const machine = root.child("Machine");
  if (root.name !== "VirtualBox" || !machine) throw badAppliance(file, "is not a machine of VirtualBox");
  const hardware = machine.child("Hardware");
  const devices = attachments(machine);
  return {
    name: machine.attribute("name") ?? "Imported",
    description: machine.textOf("Description"),
    osType: osTypeOf(machine.attribute("OSType") ?? ""),
    memoryMiB: Number(hardware?.child("Memory")?.attribute("RAMSize") ?? 512),
    cpuCount: Number(hardware?.child("CPU")?.attribute("count") ?? 1),
    firmware: (hardware?.descendants("Firmware") ?? []).some((each) => each.attribute("type")?.startsWith("EFI"))
      ? "uefi"
      : "bios",
    disks: devices
      .filter(({ type }) => type === "HardDisk")
      .map(({ image, bus }) => ({ file: locationOf(machine, image, file), bus })),
    adapters: (hardware?.child("Network")?.all("Adapter") ?? [])
      .filter((each) => each.attribute("enabled") === "true")
      .map((each) => adapterModelOf(each.attribute("type") ?? "")),
    hasOpticalDrive: devices.some(({ type }) => type === "DVD"),
  };
}

interface Attachment {
  readonly type: string;
  readonly image: string;
  readonly bus: ApplianceDisk["bus"];
}

/** Devices of all controllers, IDE first, as a BIOS looks for them. */
function attachments(machine: XmlElement): Attachment[] {
  // Version 1.16 and older keep controllers beside the hardware, newer ones in it.
  const controllers = machine.descendants("StorageController");
  return controllers
    .flatMap((controller) => {
      const bus: ApplianceDisk["bus"] = /^(?:PIIX|ICH6)/.test(controller.attribute("type") ?? "") ? "ide" : "sata";
      return controller.all("AttachedDevice").map((device) => ({
        type: device.attribute("type") ?? "",
        image: device.child("Image")?.attribute("uuid") ?? "",
        bus,
      }));
    })
    .sort((a, b) => Number(a.bus !== "ide") - Number(b.bus !== "ide"));
}

/** Images are named by UUID; the registry of the machine says where they lie. */
function locationOf(machine: XmlElement, uuid: string, file: string): string {
  const registered = machine.child("MediaRegistry")?.descendants("HardDisk") ?? [];
  const disk = registered.find((each) => each.attribute("uuid") === uuid);
  const location = disk?.attribute("location");
  if (location !== undefined) return location;
  throw badAppliance(file, `has a disk that it does not know: ${uuid || "without name"}`);
}
