// Answers for Windows' installer: autounattend.xml, which it looks for on every disc (Microsoft, "Windows Setup Automation Overview").
import type { UnattendedAnswers } from "../../contract/unattended.ts";

/** Windows has names of its own for time zones (Unicode CLDR, windowsZones); those of other places are near enough to UTC to be set later. */
const TIME_ZONES: Readonly<Record<string, string>> = {
  "Europe/London": "GMT Standard Time",
  "Europe/Lisbon": "GMT Standard Time",
  "Europe/Berlin": "W. Europe Standard Time",
  "Europe/Vienna": "W. Europe Standard Time",
  "Europe/Zurich": "W. Europe Standard Time",
  "Europe/Rome": "W. Europe Standard Time",
  "Europe/Amsterdam": "W. Europe Standard Time",
  "Europe/Stockholm": "W. Europe Standard Time",
  "Europe/Paris": "Romance Standard Time",
  "Europe/Madrid": "Romance Standard Time",
  "Europe/Brussels": "Romance Standard Time",
  "Europe/Warsaw": "Central European Standard Time",
  "Europe/Prague": "Central Europe Standard Time",
  "Europe/Helsinki": "FLE Standard Time",
  "Europe/Kyiv": "FLE Standard Time",
  "Europe/Athens": "GTB Standard Time",
  "Europe/Istanbul": "Turkey Standard Time",
  "Europe/Moscow": "Russian Standard Time",
  "America/New_York": "Eastern Standard Time",
  "America/Chicago": "Central Standard Time",
  "America/Denver": "Mountain Standard Time",
  "America/Los_Angeles": "Pacific Standard Time",
  "America/Sao_Paulo": "E. South America Standard Time",
  "Asia/Dubai": "Arabian Standard Time",
  "Asia/Kolkata": "India Standard Time",
  "Asia/Shanghai": "China Standard Time",
  "Asia/Singapore": "Singapore Standard Time",
  "Asia/Tokyo": "Tokyo Standard Time",
  "Asia/Seoul": "Korea Standard Time",
  "Australia/Sydney": "AUS Eastern Standard Time",
  "Pacific/Auckland": "New Zealand Standard Time",
};

const NAME_MAX = 15;

export function autounattend(answers: UnattendedAnswers, firmware: "bios" | "uefi"): string {
  const { user, fullName, password, hostName, locale, timeZone } = answers;
  const language = locale.replace("_", "-");
  const international = (component: string, ui = "") =>
    element(component, [
      ...(ui === "" ? [] : [`<SetupUILanguage><UILanguage>${ui}</UILanguage></SetupUILanguage>`]),
      ...["InputLocale", "SystemLocale", "UILanguage", "UserLocale"].map((name) => `<${name}>${language}</${name}>`),
    ]);
  const partitions = firmware === "uefi" ? UEFI_PARTITIONS : BIOS_PARTITIONS;
  return `<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
${pass("windowsPE", [
  international("Microsoft-Windows-International-Core-WinPE", language),
  element("Microsoft-Windows-Setup", [
    diskLayout(partitions),
    `<ImageInstall><OSImage><InstallTo><DiskID>0</DiskID><PartitionID>${partitions.length}</PartitionID></InstallTo></OSImage></ImageInstall>`,
    `<UserData><AcceptEula>true</AcceptEula><FullName>${text(fullName || user)}</FullName></UserData>`,
  ]),
])}
${pass("specialize", [
  element("Microsoft-Windows-Shell-Setup", [
    `<ComputerName>${text(hostName.slice(0, NAME_MAX))}</ComputerName>`,
    `<TimeZone>${TIME_ZONES[timeZone] ?? "UTC"}</TimeZone>`,
  ]),
])}
${pass("oobeSystem", [
  international("Microsoft-Windows-International-Core"),
  element("Microsoft-Windows-Shell-Setup", [
    "<OOBE><HideEULAPage>true</HideEULAPage><HideWirelessSetupInOOBE>true</HideWirelessSetupInOOBE><HideOnlineAccountScreens>true</HideOnlineAccountScreens><ProtectYourPC>3</ProtectYourPC></OOBE>",
    `<UserAccounts><LocalAccounts><LocalAccount wcm:action="add"><Name>${text(user)}</Name><DisplayName>${text(
      fullName || user,
    )}</DisplayName><Group>Administrators</Group><Password><Value>${hidden(
      password,
    )}</Value><PlainText>false</PlainText></Password></LocalAccount></LocalAccounts></UserAccounts>`,
  ]),
])}
</unattend>
`;
}

interface Partition {
  readonly type: "EFI" | "MSR" | "Primary";
  /** Null: the rest. */
  readonly sizeMiB: number | null;
  readonly format: "FAT32" | "NTFS" | null;
  readonly active?: true;
}

const BIOS_PARTITIONS: readonly Partition[] = [
  { type: "Primary", sizeMiB: 100, format: "NTFS", active: true },
  { type: "Primary", sizeMiB: null, format: "NTFS" },
];
const UEFI_PARTITIONS: readonly Partition[] = [
  { type: "EFI", sizeMiB: 100, format: "FAT32" },
  { type: "MSR", sizeMiB: 16, format: null },
  { type: "Primary", sizeMiB: null, format: "NTFS" },
];

function diskLayout(partitions: readonly Partition[]): string {
  const create = partitions.map(
    ({ type, sizeMiB }, index) =>
      `<CreatePartition wcm:action="add"><Order>${index + 1}</Order><Type>${type}</Type>${
        sizeMiB === null ? "<Extend>true</Extend>" : `<Size>${sizeMiB}</Size>`
      }</CreatePartition>`,
  );
  const modify = partitions.map(
    ({ format, active }, index) =>
      `<ModifyPartition wcm:action="add"><Order>${index + 1}</Order><PartitionID>${index + 1}</PartitionID>${
        format === null ? "" : `<Format>${format}</Format>`
      }${active ? "<Active>true</Active>" : ""}</ModifyPartition>`,
  );
  const parts = `<CreatePartitions>${create.join("")}</CreatePartitions><ModifyPartitions>${modify.join("")}</ModifyPartitions>`;
  return `<DiskConfiguration><Disk wcm:action="add"><DiskID>0</DiskID><WillWipeDisk>true</WillWipeDisk>${parts}</Disk></DiskConfiguration>`;
}

const pass = (name: string, components: readonly string[]): string =>
  `  <settings pass="${name}">\n${components.join("\n")}\n  </settings>`;

const element = (name: string, children: readonly string[]): string =>
  `    <component name="${name}" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">\n${children
    .map((child) => `      ${child}`)
    .join("\n")}\n    </component>`;

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const text = (value: string): string => value.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");

/** Not readable at a glance, as Windows' own tools write it: UTF-16 of the password and the name of its element, in base64. */
const hidden = (password: string): string => Buffer.from(`${password}Password`, "utf16le").toString("base64");
