// Writes OVF 1.0 descriptors (DMTF DSP0243) in the shape that VirtualBox writes and that VMware and others read.
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { RESOURCE } from "./ovf-reader.ts";

export interface OvfDisk {
  /** Name of the file beside the descriptor. */
  readonly file: string;
  readonly fileBytes: number;
  readonly sizeBytes: number;
}

/** CIM_OperatingSystem.OSType: Linux of 64 bits, and other. */
const OS = { linux: { id: 101, name: "Linux26_64" }, other: { id: 1, name: "Other_64" } } as const;
const STREAM_VMDK = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
const IDE_CONTROLLER = 3;
const SATA_CONTROLLER = 4;
const FIRST_DEVICE = 5;

export function ovfDescriptor(config: MachineConfig, disks: readonly OvfDisk[]): string {
  const files = disks.map(
    ({ file, fileBytes }, index) => `<File ovf:id="file${index}" ovf:href="${escape(file)}" ovf:size="${fileBytes}"/>`,
  );
  const images = disks.map(
    ({ sizeBytes }, index) =>
      `<Disk ovf:capacity="${sizeBytes}" ovf:diskId="disk${index}" ovf:fileRef="file${index}" ovf:format="${STREAM_VMDK}"/>`,
  );
  const os = OS[config.osType];
  return `<?xml version="1.0"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>${lines(files)}
  </References>
  <DiskSection>
    <Info>Virtual disks</Info>${lines(images)}
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="NAT"><Description>Addresses are translated by the host</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id="${escape(config.name)}">
    <Info>A virtual machine</Info>
    <Name>${escape(config.name)}</Name>
    <OperatingSystemSection ovf:id="${os.id}">
      <Info>Operating system</Info>
      <Description>${os.name}</Description>
    </OperatingSystemSection>
    <AnnotationSection>
      <Info>Notes</Info>
      <Annotation>${escape(config.description)}</Annotation>
    </AnnotationSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${escape(config.name)}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType>
      </System>${hardware(config, disks).map(item).join("")}
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}

type Properties = readonly (readonly [name: string, value: string | number])[];

/** Properties come in the order of their names, as the schema wants them. */
function hardware(config: MachineConfig, disks: readonly OvfDisk[]): Properties[] {
  const attached = disks.map((_, index) =>
    device(FIRST_DEVICE + index, `Disk ${index + 1}`, RESOURCE.DISK, [
      ["AddressOnParent", index],
      ["HostResource", `/disk/disk${index}`],
      ["Parent", SATA_CONTROLLER],
    ]),
  );
  const next = FIRST_DEVICE + disks.length;
  const drives = config.opticalDrives.map((_, index) =>
    device(next + index, `Drive ${index + 1}`, RESOURCE.CD, [
      ["AddressOnParent", index],
      ["AutomaticAllocation", "true"],
      ["Parent", IDE_CONTROLLER],
    ]),
  );
  const adapters = config.adapters.map((_, index) =>
    device(next + drives.length + index, `Adapter ${index + 1}`, RESOURCE.ETHERNET, [
      ["AutomaticAllocation", "true"],
      ["Connection", "NAT"],
      ["ResourceSubType", "E1000"],
    ]),
  );
  return [
    device(1, "Processors", RESOURCE.PROCESSOR, [["VirtualQuantity", config.cpuCount]]),
    device(2, "Memory", RESOURCE.MEMORY, [
      ["AllocationUnits", "MegaBytes"],
      ["VirtualQuantity", config.memoryMiB],
    ]),
    device(IDE_CONTROLLER, "IDE controller", RESOURCE.IDE, [
      ["Address", 0],
      ["ResourceSubType", "PIIX4"],
    ]),
    device(SATA_CONTROLLER, "SATA controller", RESOURCE.SATA, [
      ["Address", 0],
      ["ResourceSubType", "AHCI"],
    ]),
    ...attached,
    ...drives,
    ...adapters,
  ];
}

function device(id: number, name: string, type: number, more: Properties): Properties {
  const properties: Properties = [["ElementName", name], ["InstanceID", id], ["ResourceType", type], ...more];
  return [...properties].sort(([a], [b]) => (a < b ? -1 : 1));
}

function item(properties: Properties): string {
  const content = properties.map(([name, value]) => `        <rasd:${name}>${escape(String(value))}</rasd:${name}>`);
  return `\n      <Item>\n${content.join("\n")}\n      </Item>`;
}

const lines = (elements: readonly string[]): string => elements.map((element) => `\n    ${element}`).join("");

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? "").replace(/[^\P{Cc}\n\t]/gu, "");
}
