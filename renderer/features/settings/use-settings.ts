// State of the settings dialog: the edited document, the page, the filter, disks to add, and what the host refused.
import { type FormEvent, useEffect, useRef, useState } from "react";
import { type FieldErrors, type FieldPath, useForm, useWatch } from "react-hook-form";
import { changeConfig } from "../../../main/contract/change-config.ts";
import type { Failure, MachineDetails } from "../../../main/contract/schemas.ts";
import { changedFields, type SettingField, settingValue, withSetting } from "../../../native-core/config/changes.ts";
import { SETTINGS_PAGES, type SettingsPage } from "../../../native-core/config/field.ts";
import { type MachineConfig, machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { fieldsOfPage, MACHINE_FIELDS, matchesSetting, type SchemaField } from "../../forms/schema-fields.ts";
import { zodResolver } from "../../forms/zod-resolver.ts";
import { i18n } from "../../i18n/index.ts";
import { notify } from "../notifications/model.ts";
import { undoWith } from "../snapshots/snapshot-actions.ts";

export type NewDisk = { sizeMiB: number } | { file: string };

function valueAt(node: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], node);
}

function hasError(errors: FieldErrors<MachineConfig>, path: string): boolean {
  return valueAt(errors, path) !== undefined;
}

const settingPath = (name: string | undefined) => name?.replace(/^config\./, "").replace(/\[(\d+)\]/g, ".$1");

/** The setting that a failure names: `config.boot.kernel` and `disks.0.file` both find their declared field. */
function fieldNamed(name: string | undefined): SchemaField | undefined {
  const path = settingPath(name);
  return MACHINE_FIELDS.find((field) => path === field.path || path?.startsWith(`${field.path}.`));
}

/** Only what was edited replaces what the host has by now: a snapshot, for one, gives a disk another file. */
function withEdits(host: MachineConfig, from: MachineConfig, to: MachineConfig): MachineConfig {
  const merge = (into: MachineConfig, { path }: SettingField) =>
    withSetting(into, path, settingValue(to, path)) as MachineConfig;
  return changedFields(from, to).reduce(merge, host);
}

const firstPage = (focusField: string | undefined): SettingsPage => fieldNamed(focusField)?.meta.page ?? "general";

/** The dialog edits one document. What others change meanwhile is shown as it comes, but never in place of an edit. */
export function useSettings(machine: MachineDetails, focusField: string | undefined, onClose: () => void) {
  const [page, setPage] = useState<SettingsPage>(() => firstPage(focusField));
  const [filter, setFilter] = useState("");
  const [newDisks, setNewDisks] = useState<readonly NewDisk[]>([]);
  const [saved, setSaved] = useState(machine.config);
  const [failure, setFailure] = useState<Failure | null>(null);
  const form = useForm<MachineConfig>({
    defaultValues: machine.config,
    resolver: zodResolver(machineConfigSchema),
    // Each mistake is told at its field as it is made.
    mode: "onChange",
  });
  // Every field has a value from the start: what is watched is a whole configuration.
  const edited = useWatch({ control: form.control }) as MachineConfig;
  const { errors } = form.formState;
  const wrong = MACHINE_FIELDS.filter((field) => hasError(errors, field.path));

  useEffect(() => {
    const selector = focusField ? `[data-field="${CSS.escape(focusField)}"] :is(input, textarea, select, button)` : "";
    if (selector) document.querySelector<HTMLElement>(selector)?.focus();
  }, [focusField]);

  // What is compared with is followed by identity: the query keeps it while nothing changed.
  const known = useRef(machine.config);
  useEffect(() => {
    if (known.current === machine.config) return;
    known.current = machine.config;
    const withTheirs = withEdits(machine.config, saved, form.getValues());
    setSaved(machine.config);
    form.reset(machine.config);
    form.reset(withTheirs, { keepDefaultValues: true });
  }, [machine.config, saved, form]);

  const openPage = (next: SettingsPage) => {
    setFilter("");
    setPage(next);
  };

  const showFailure = (cause: Failure) => {
    const field = fieldNamed(cause.field);
    // What is wrong with an entry of a list has no place beside a field.
    if (field?.path !== settingPath(cause.field)) setFailure(cause);
    if (!field) return setFailure(cause);
    openPage(field.meta.page);
    form.setError(field.path as FieldPath<MachineConfig>, {
      message: failureSentence(cause),
    });
  };

  const save = (closing: boolean) => async (config: MachineConfig) => {
    setFailure(null);
    try {
      let merged = config;
      const { safetySnapshotId } = await changeConfig(client, machine.id, (host) => {
        merged = withEdits(host, saved, config);
        return merged;
      });
      for (const [index, disk] of newDisks.entries()) {
        await client.machines.addDisk({ id: machine.id, disk });
        // What is done is not asked for again when a later disk fails.
        setNewDisks(newDisks.slice(index + 1));
      }
      setSaved(merged);
      form.reset(merged);
      notify({
        kind: "success",
        title: i18n.t("settings.saved", { name: config.name }),
        actions: safetySnapshotId === null ? [] : [undoWith(safetySnapshotId)],
      });
      if (closing) onClose();
    } catch (error) {
      showFailure(toFailure(error));
    }
  };

  const showFirstError = (refused: FieldErrors<MachineConfig>) => {
    const first = MACHINE_FIELDS.find((field) => hasError(refused, field.path));
    if (first && first.meta.page !== page) openPage(first.meta.page);
  };

  return {
    form,
    page,
    openPage,
    filter,
    setFilter,
    newDisks,
    setNewDisks,
    failure,
    invalid: wrong.length,
    invalidPages: new Set(wrong.map((field) => field.meta.page)),
    shownFields: filter.trim() ? MACHINE_FIELDS.filter((field) => matchesSetting(field, filter)) : fieldsOfPage(page),
    saved,
    changes: changedFields(saved, edited).length + newDisks.length,
    revert: () => {
      form.reset(saved);
      setNewDisks([]);
      setFailure(null);
    },
    submit: (event: FormEvent) => void form.handleSubmit(save(true), showFirstError)(event),
    apply: () => void form.handleSubmit(save(false), showFirstError)(),
  };
}

export const PAGES_WITH_FIELDS = SETTINGS_PAGES.filter((page) => fieldsOfPage(page).length > 0);
