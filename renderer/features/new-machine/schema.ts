// The form of a new machine: what it holds, what makes it valid, and the request it becomes.
import { z } from "zod";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB, machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import { i18n } from "../../i18n/index.ts";

export const DISK_KINDS = ["create", "existing", "none"] as const;

const DISK_MAX_MIB = 2 * 1024 * 1024;

export const newMachineSchema = z
  .object({
    name: machineConfigSchema.shape.name,
    memoryMiB: z
      .int(`${MEMORY_MIN_MIB} to ${MEMORY_MAX_MIB} MiB`)
      .min(MEMORY_MIN_MIB, `at least ${MEMORY_MIN_MIB} MiB`)
      .max(MEMORY_MAX_MIB, `at most ${MEMORY_MAX_MIB} MiB`),
    kernel: z.string().trim(),
    initrd: z.string().trim(),
    commandLine: machineConfigSchema.shape.boot.shape.commandLine,
    diskKind: z.enum(DISK_KINDS),
    diskSizeMiB: z.number(),
    diskFile: z.string().trim(),
    startNow: z.boolean(),
  })
  .superRefine((form, context) => {
    const refuse = (field: keyof typeof form, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (!form.kernel) refuse("kernel", i18n.t("create.kernelNeeded"));
    if (form.diskKind === "existing" && !form.diskFile) refuse("diskFile", i18n.t("create.diskFileNeeded"));
    const sizeFits = form.diskSizeMiB >= 1 && form.diskSizeMiB <= DISK_MAX_MIB;
    if (form.diskKind === "create" && !sizeFits) refuse("diskSizeMiB", i18n.t("create.diskSizeRange"));
  });

export type NewMachineForm = z.infer<typeof newMachineSchema>;

export const NEW_MACHINE_DEFAULTS: NewMachineForm = {
  name: "",
  memoryMiB: 512,
  kernel: "",
  initrd: "",
  commandLine: "console=ttyS0 console=tty0 root=/dev/vda",
  diskKind: "create",
  diskSizeMiB: 8192,
  diskFile: "",
  startNow: true,
};

function disksOf(form: NewMachineForm): ({ sizeMiB: number } | { file: string })[] {
  if (form.diskKind === "create") return [{ sizeMiB: form.diskSizeMiB }];
  return form.diskKind === "existing" ? [{ file: form.diskFile }] : [];
}

/** The argument of `machines.create`. */
export function createRequest(form: NewMachineForm) {
  const { name, memoryMiB, kernel, initrd, commandLine } = form;
  return { name, memoryMiB, kernel, initrd: initrd || null, commandLine, disks: disksOf(form) };
}

/** The form's field for a field that the host named in a failure (`config.boot.kernel`, `disks.0.file`, ...). */
export function formFieldOf(hostField: string | undefined, form: NewMachineForm): keyof NewMachineForm | undefined {
  if (!hostField) return undefined;
  if (/(^|\.)disks?\b/.test(hostField)) return form.diskKind === "create" ? "diskSizeMiB" : "diskFile";
  const last = hostField.split(".").at(-1) ?? "";
  return last in NEW_MACHINE_DEFAULTS ? (last as keyof NewMachineForm) : undefined;
}
