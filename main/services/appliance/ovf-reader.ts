// Reads OVF descriptors (DMTF DSP0243, versions 1 and 2), as VirtualBox, VMware and others write them.
import { type Appliance, type ApplianceDisk, adapterModelOf, badAppliance, osTypeOf } from "./appliance.ts";
import { parseXml, type XmlElement } from "./xml.ts";

/** CIM_ResourceAllocationSettingData.ResourceType. */
export const RESOURCE = {
  ...{ PROCESSOR: 3, MEMORY: 4, IDE: 5, ETHERNET: 10, CD: 15, DVD: 16, DISK: 17, SATA: 20 },
} as const;

/** @throws AppError INVALID_FILE, UNSUPPORTED naming `file` */
export function readOvf(text: string, file: string): Appliance {
  const envelope = parseXml(text, file);
  if (envelope.name !== "Envelope") throw badAppliance(file, "is not an OVF descriptor");
  const systems = envelope.descendants("VirtualSystem");
  const [system] = systems;
  if (!system || systems.length > 1) throw badAppliance(file, `describes ${systems.length} machines; one is wanted`);
  const items = (system.child("VirtualHardwareSection")?.all("Item") ?? []).map(itemOf);
  // Version 2 has elements of their own for disks and adapters, with the same content.
  for (const name of ["StorageItem", "EthernetPortItem"]) {
    items.push(...(system.child("VirtualHardwareSection")?.all(name) ?? []).map(itemOf));
  }
  const quantity = (type: number) => items.find((item) => item.type === type)?.quantity;
  const system0 = system.child("OperatingSystemSection");
  return {
    name: system.textOf("Name") || (system.attribute("id") ?? "Imported"),
    description: system.child("AnnotationSection")?.textOf("Annotation") ?? "",
    osType: osTypeOf(`${system0?.textOf("Description")} ${system0?.attribute("osType")}`),
    memoryMiB: memoryMiB(items.find((item) => item.type === RESOURCE.MEMORY)),
    cpuCount: quantity(RESOURCE.PROCESSOR) ?? 1,
    firmware: isUefi(system) ? "uefi" : "bios",
    disks: disksOf(envelope, items, file),
    adapters: items.filter(({ type }) => type === RESOURCE.ETHERNET).map(({ subtype }) => adapterModelOf(subtype)),
    hasOpticalDrive: items.some(({ type }) => type === RESOURCE.CD || type === RESOURCE.DVD),
  };
}

interface Item {
  readonly id: string;
  readonly type: number;
  readonly subtype: string;
  readonly parent: string;
  readonly quantity: number | undefined;
  readonly units: string;
  readonly hostResource: string;
  readonly position: number;
}

function itemOf(element: XmlElement): Item {
  const number = (name: string): number | undefined => {
    const value = Number.parseInt(element.textOf(name), 10);
    return Number.isSafeInteger(value) ? value : undefined;
  };
  return {
    id: element.textOf("InstanceID"),
    type: number("ResourceType") ?? 0,
    subtype: element.textOf("ResourceSubType"),
    parent: element.textOf("Parent"),
    quantity: number("VirtualQuantity"),
    units: element.textOf("AllocationUnits"),
    hostResource: element.textOf("HostResource"),
    position: number("AddressOnParent") ?? 0,
  };
}

/** "MegaBytes" (version 1.0), or a product such as "byte * 2^20" (DSP0004, programmatic units); megabytes where nothing is said. */
function memoryMiB(item: Item | undefined): number {
  const quantity = item?.quantity ?? 512;
  const units = item?.units ?? "";
  const power = /2\^(\d+)/.exec(units)?.[1];
  if (power !== undefined) return Math.round(quantity * 2 ** (Number(power) - 20));
  if (/^giga/i.test(units)) return quantity * 1024;
  if (/^kilo/i.test(units)) return Math.round(quantity / 1024);
  return /^bytes?$/i.test(units) ? Math.round(quantity / 2 ** 20) : quantity;
}

/** VMware's and VirtualBox's own ways to say it. */
function isUefi(system: XmlElement): boolean {
  const vmware = system
    .descendants("Config")
    .some((each) => /^firmware$/.test(each.attribute("key") ?? "") && each.attribute("value") === "efi");
  return vmware || system.descendants("Firmware").some((each) => each.attribute("type")?.startsWith("EFI"));
}

function disksOf(envelope: XmlElement, items: readonly Item[], file: string): ApplianceDisk[] {
  const controllers = new Map(items.map((item) => [item.id, item]));
  return items
    .filter(({ type }) => type === RESOURCE.DISK)
    .map((item) => ({ item, controller: controllers.get(item.parent) }))
    .sort((a, b) => (a.controller?.position ?? 0) - (b.controller?.position ?? 0) || a.item.position - b.item.position)
    .map(({ item, controller }) => ({
      file: fileOf(envelope, item, file),
      // Systems on SCSI disks find SATA disks too: everybody's boot images have the driver of AHCI.
      bus: controller?.type === RESOURCE.IDE ? "ide" : "sata",
    }));
}

/** `ovf:/disk/ID` names a disk, that a file. */
function fileOf(envelope: XmlElement, { hostResource }: Item, file: string): string {
  const [, kind, id] = /^(?:ovf:)?\/(disk|file)\/(.+)$/.exec(hostResource) ?? [];
  const disk = envelope
    .child("DiskSection")
    ?.all("Disk")
    .find((each) => each.attribute("diskId") === id);
  const reference = kind === "file" ? id : disk?.attribute("fileRef");
  const found = envelope
    .child("References")
    ?.all("File")
    .find((each) => each.attribute("id") === reference);
  const href = found?.attribute("href");
  if (href === undefined || reference === undefined)
    throw badAppliance(file, `names a disk that is not there: ${hostResource || "none"}`);
  const compression = found?.attribute("compression");
  if (compression !== undefined && compression !== "identity")
    throw badAppliance(file, `has a disk compressed as ${compression}`);
  return href;
}
