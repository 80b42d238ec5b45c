// The form of a new machine: what it holds, what makes it valid, and the request it becomes. Wizard and single page share it.
import { z } from "zod";
import type { CatalogueView } from "../../../main/contract/catalogue.ts";
import type { MediumFacts } from "../../../main/contract/schemas.ts";
import { unattendedSchema } from "../../../main/contract/unattended.ts";
import {
  CPUS_MAX,
  DISK_BUSES,
  MEMORY_MAX_MIB,
  MEMORY_MIN_MIB,
  machineConfigSchema,
} from "../../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS } from "../../../native-core/config/network-settings.ts";
import { i18n } from "../../i18n/index.ts";

/** What it boots from: a system of the catalogue, a disc, what is on its disk already, the network, or a kernel directly. */
export const SOURCES = ["download", "disc", "disk", "network", "kernel"] as const;
export const DISK_KINDS = ["create", "existing", "none"] as const;

const DISK_MAX_MIB = 2 * 1024 * 1024;

/** Checked as a whole, and only where they are used. */
const ANSWER_FIELDS = {
  user: z.string().trim(),
  fullName: z.string().trim(),
  password: z.string(),
  hostName: z.string().trim(),
  locale: z.string().trim(),
  timeZone: z.string().trim(),
  keyboard: z.string().trim(),
};
const ANSWERS = ["user", "fullName", "password", "hostName", "locale", "timeZone", "keyboard"] as const;

export const newMachineSchema = z
  .object({
    name: machineConfigSchema.shape.name,
    osType: machineConfigSchema.shape.osType,
    source: z.enum(SOURCES),
    /** Of the catalogue, with its file once that is downloaded. */
    release: z.string(),
    releaseFile: z.string(),
    releaseKind: z.enum(["disc", "disk"]),
    iso: z.string().trim(),
    firmware: machineConfigSchema.shape.boot.shape.firmware,
    /** How the chosen system takes answers; "" when it does not. */
    unattendedKind: z.string(),
    unattended: z.boolean(),
    ...ANSWER_FIELDS,
    /** "" is what others on its network offer. */
    networkBoot: z.string().trim(),
    kernel: z.string().trim(),
    initrd: z.string().trim(),
    commandLine: machineConfigSchema.shape.boot.shape.commandLine,
    memoryMiB: z
      .int(`${MEMORY_MIN_MIB} to ${MEMORY_MAX_MIB} MiB`)
      .min(MEMORY_MIN_MIB, `at least ${MEMORY_MIN_MIB} MiB`)
      .max(MEMORY_MAX_MIB, `at most ${MEMORY_MAX_MIB} MiB`),
    chipset: machineConfigSchema.shape.chipset,
    adapterModel: z.enum(ADAPTER_MODELS),
    diskBus: z.enum(DISK_BUSES),
    cpuCount: z.int(`1 to ${CPUS_MAX}`).min(1, "at least 1").max(CPUS_MAX, `at most ${CPUS_MAX}`),
    diskKind: z.enum(DISK_KINDS),
    diskSizeMiB: z.number(),
    diskFile: z.string().trim(),
    startNow: z.boolean(),
  })
  .superRefine((form, context) => {
    const refuse = (field: keyof typeof form, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (form.source === "download" && !form.release) refuse("release", i18n.t("create.releaseNeeded"));
    if (form.source === "download" && form.release && !form.releaseFile)
      refuse("release", i18n.t("create.downloadNeeded"));
    if (form.source === "disc" && !form.iso) refuse("iso", i18n.t("create.isoNeeded"));
    if (form.source === "kernel" && !form.kernel) refuse("kernel", i18n.t("create.kernelNeeded"));
    if (form.source === "disk" && form.diskKind !== "existing") refuse("diskKind", i18n.t("create.diskNeeded"));
    if (form.diskKind === "existing" && !form.diskFile) refuse("diskFile", i18n.t("create.diskFileNeeded"));
    if (asksNothing(form)) {
      const { issues = [] } = unattendedSchema.safeParse(answersOf(form)).error ?? {};
      for (const { path, message } of issues) refuse(path[0] as keyof typeof form, message);
    }
    const sizeFits = form.diskSizeMiB >= 1 && form.diskSizeMiB <= DISK_MAX_MIB;
    if (form.diskKind === "create" && !sizeFits) refuse("diskSizeMiB", i18n.t("create.diskSizeRange"));
  });

export type NewMachineForm = z.infer<typeof newMachineSchema>;

export const NEW_MACHINE_DEFAULTS: NewMachineForm = {
  name: "",
  osType: "linux",
  source: "disc",
  release: "",
  releaseFile: "",
  releaseKind: "disc",
  iso: "",
  firmware: "bios",
  unattendedKind: "",
  unattended: false,
  user: "",
  fullName: "",
  password: "",
  hostName: "",
  locale: "en_US",
  timeZone: "UTC",
  keyboard: "us",
  networkBoot: "",
  kernel: "",
  initrd: "",
  commandLine: "console=ttyS0 console=tty0 root=/dev/vda",
  memoryMiB: 512,
  cpuCount: 1,
  chipset: "i440fx",
  adapterModel: "virtio",
  diskBus: "virtio",
  diskKind: "create",
  diskSizeMiB: 8192,
  diskFile: "",
  startNow: true,
};

/** Whether the system of this form is set up without questions. */
export const asksNothing = (form: NewMachineForm): boolean => form.unattended && canAnswer(form);

/** Whether the chosen system takes answers. */
export function canAnswer({ source, unattendedKind }: Pick<NewMachineForm, "source" | "unattendedKind">): boolean {
  return unattendedKind !== "" && (source === "download" || source === "disc");
}

/** A machine's name as a host name. */
export function hostNameFor(name: string): string {
  const letters = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return letters.slice(0, 63).replaceAll(/^-+|-+$/g, "") || "terrarium";
}

function answersOf(form: NewMachineForm) {
  const answers = Object.fromEntries(ANSWERS.map((field) => [field, form[field]]));
  return { ...answers, hostName: form.hostName || hostNameFor(form.name) };
}

/** Whether the machine starts with a copy of a disk that is installed already. */
export const usesReadyDisk = ({ source, releaseKind }: NewMachineForm): boolean =>
  source === "download" && releaseKind === "disk";

/** The file of the host that it boots from; "" while none is chosen. */
export function bootFileOf({ source, releaseFile, iso, diskFile, networkBoot, kernel }: NewMachineForm): string {
  return { download: releaseFile, disc: iso, disk: diskFile, network: networkBoot, kernel }[source];
}

function isoOf(form: NewMachineForm): string | null {
  if (form.source === "disc") return form.iso;
  return form.source === "download" && form.releaseKind === "disc" ? form.releaseFile : null;
}

type RequestedDisk = { sizeMiB: number } | { file: string } | { copyOf: string; sizeMiB: number };

function disksOf(form: NewMachineForm): RequestedDisk[] {
  if (usesReadyDisk(form)) return [{ copyOf: form.releaseFile, sizeMiB: form.diskSizeMiB }];
  if (form.diskKind === "create") return [{ sizeMiB: form.diskSizeMiB }];
  return form.diskKind === "existing" ? [{ file: form.diskFile }] : [];
}

/** The argument of `machines.create`. What belongs to another source than the chosen one is left out. */
export function createRequest(form: NewMachineForm) {
  const { name, osType, source, memoryMiB, cpuCount } = form;
  const byKernel = source === "kernel";
  return {
    name,
    osType,
    memoryMiB,
    cpuCount,
    kernel: byKernel ? form.kernel : null,
    initrd: (byKernel && form.initrd) || null,
    commandLine: byKernel ? form.commandLine : "",
    iso: isoOf(form),
    disks: disksOf(form),
    firmware: form.firmware,
    networkBoot: source === "network" ? form.networkBoot : null,
    chipset: form.chipset,
    diskBus: form.diskBus,
    adapterModel: form.adapterModel,
    unattended: asksNothing(form) ? unattendedSchema.parse(answersOf(form)) : null,
  };
}

/** What a disc suggests for the fields that the user has not touched. */
export function suggestionsOf(
  facts: Pick<MediumFacts, "name" | "osType" | "memoryMiB" | "diskMiB" | "cpuCount" | "firmware" | "unattended">,
  touched: Readonly<Partial<Record<keyof NewMachineForm, unknown>>>,
): Partial<NewMachineForm> {
  const all: Partial<NewMachineForm> = {
    name: facts.name,
    osType: facts.osType,
    memoryMiB: facts.memoryMiB,
    cpuCount: facts.cpuCount,
    firmware: facts.firmware,
    unattendedKind: facts.unattended ?? "",
    ...(facts.diskMiB > 0
      ? { diskKind: "create" as const, diskSizeMiB: facts.diskMiB }
      : { diskKind: "none" as const }),
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => !touched[key as keyof NewMachineForm]));
}

/** The form's field for a field that the host named in a failure (`config.boot.kernel`, `disks.0.file`, ...). */
export function formFieldOf(hostField: string | undefined, form: NewMachineForm): keyof NewMachineForm | undefined {
  if (!hostField) return undefined;
  if (/(^|\.)(opticalDrives|iso)\b/.test(hostField)) return "iso";
  if (/(^|\.)disks?\b/.test(hostField)) return form.diskKind === "create" ? "diskSizeMiB" : "diskFile";
  const last = hostField.split(".").at(-1) ?? "";
  return last in NEW_MACHINE_DEFAULTS ? (last as keyof NewMachineForm) : undefined;
}

/** The steps of the wizard with the fields that must be right to leave them. */
export const STEPS = ["system", "setup", "hardware", "disk", "summary"] as const;
export type Step = (typeof STEPS)[number];

export const STEP_FIELDS: Readonly<Record<Step, readonly (keyof NewMachineForm)[]>> = {
  system: [
    "name",
    "osType",
    "source",
    "release",
    "releaseFile",
    "releaseKind",
    "unattendedKind",
    "iso",
    "firmware",
    "networkBoot",
    "kernel",
    "initrd",
    "commandLine",
  ],
  setup: ["unattended", ...ANSWERS],
  hardware: ["memoryMiB", "cpuCount", "chipset", "adapterModel"],
  disk: ["diskKind", "diskSizeMiB", "diskFile", "diskBus"],
  summary: [],
};

export const stepOf = (field: keyof NewMachineForm): Step =>
  STEPS.find((step) => STEP_FIELDS[step].includes(field)) ?? "summary";

/** What a release of the catalogue suggests for the fields that the user has not touched. */
export function releaseSuggestions(
  system: CatalogueView[number],
  release: CatalogueView[number]["releases"][number],
  touched: Readonly<Partial<Record<keyof NewMachineForm, unknown>>>,
): Partial<NewMachineForm> {
  const { memoryMiB, diskMiB, kind, unattended, downloaded } = release;
  const facts = { ...system, name: system.name, memoryMiB, diskMiB, unattended };
  return { ...suggestionsOf(facts, touched), releaseKind: kind, releaseFile: downloaded ?? "" };
}
