// The form of a new machine: what it holds, what makes it valid, and the request it becomes. Wizard and single page share it.
import { z } from "zod";
import type { MediumFacts } from "../../../main/contract/schemas.ts";
import {
  CPUS_MAX,
  MEMORY_MAX_MIB,
  MEMORY_MIN_MIB,
  machineConfigSchema,
} from "../../../native-core/config/machine-config.ts";
import { i18n } from "../../i18n/index.ts";

/** What it boots from: a disc, what is on its disk already, or a kernel directly. */
export const SOURCES = ["disc", "disk", "kernel"] as const;
export const DISK_KINDS = ["create", "existing", "none"] as const;

const DISK_MAX_MIB = 2 * 1024 * 1024;

export const newMachineSchema = z
  .object({
    name: machineConfigSchema.shape.name,
    osType: machineConfigSchema.shape.osType,
    source: z.enum(SOURCES),
    iso: z.string().trim(),
    kernel: z.string().trim(),
    initrd: z.string().trim(),
    commandLine: machineConfigSchema.shape.boot.shape.commandLine,
    memoryMiB: z
      .int(`${MEMORY_MIN_MIB} to ${MEMORY_MAX_MIB} MiB`)
      .min(MEMORY_MIN_MIB, `at least ${MEMORY_MIN_MIB} MiB`)
      .max(MEMORY_MAX_MIB, `at most ${MEMORY_MAX_MIB} MiB`),
    cpuCount: z.int(`1 to ${CPUS_MAX}`).min(1, "at least 1").max(CPUS_MAX, `at most ${CPUS_MAX}`),
    diskKind: z.enum(DISK_KINDS),
    diskSizeMiB: z.number(),
    diskFile: z.string().trim(),
    startNow: z.boolean(),
  })
  .superRefine((form, context) => {
    const refuse = (field: keyof typeof form, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (form.source === "disc" && !form.iso) refuse("iso", i18n.t("create.isoNeeded"));
    if (form.source === "kernel" && !form.kernel) refuse("kernel", i18n.t("create.kernelNeeded"));
    if (form.source === "disk" && form.diskKind !== "existing") refuse("diskKind", i18n.t("create.diskNeeded"));
    if (form.diskKind === "existing" && !form.diskFile) refuse("diskFile", i18n.t("create.diskFileNeeded"));
    const sizeFits = form.diskSizeMiB >= 1 && form.diskSizeMiB <= DISK_MAX_MIB;
    if (form.diskKind === "create" && !sizeFits) refuse("diskSizeMiB", i18n.t("create.diskSizeRange"));
  });

export type NewMachineForm = z.infer<typeof newMachineSchema>;

export const NEW_MACHINE_DEFAULTS: NewMachineForm = {
  name: "",
  osType: "linux",
  source: "disc",
  iso: "",
  kernel: "",
  initrd: "",
  commandLine: "console=ttyS0 console=tty0 root=/dev/vda",
  memoryMiB: 512,
  cpuCount: 1,
  diskKind: "create",
  diskSizeMiB: 8192,
  diskFile: "",
  startNow: true,
};

function disksOf(form: NewMachineForm): ({ sizeMiB: number } | { file: string })[] {
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
    iso: source === "disc" ? form.iso : null,
    disks: disksOf(form),
  };
}

/** What a disc suggests for the fields that the user has not touched. */
export function suggestionsOf(
  facts: MediumFacts,
  touched: Readonly<Partial<Record<keyof NewMachineForm, unknown>>>,
): Partial<NewMachineForm> {
  const all: Partial<NewMachineForm> = {
    name: facts.name,
    osType: facts.osType,
    memoryMiB: facts.memoryMiB,
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
export const STEPS = ["system", "hardware", "disk", "summary"] as const;
export type Step = (typeof STEPS)[number];

export const STEP_FIELDS: Readonly<Record<Step, readonly (keyof NewMachineForm)[]>> = {
  system: ["name", "osType", "source", "iso", "kernel", "initrd", "commandLine"],
  hardware: ["memoryMiB", "cpuCount"],
  disk: ["diskKind", "diskSizeMiB", "diskFile"],
  summary: [],
};

export const stepOf = (field: keyof NewMachineForm): Step =>
  STEPS.find((step) => STEP_FIELDS[step].includes(field)) ?? "summary";
