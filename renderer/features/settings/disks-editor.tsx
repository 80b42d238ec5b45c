// The disks of a machine: what is attached, and what is to be added when the dialog is confirmed.
import { Button, SegmentedControl, Switch, Tag } from "@blueprintjs/core";
import { CrossIcon, PlusIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useFieldArray, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { DISK_BUSES, DISKS_MAX } from "../../../native-core/config/machine-config.ts";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { fieldText } from "../../forms/schema-fields.ts";
import { SizeField } from "../../forms/size-field.tsx";
import { formatBytes, formatMiB } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { isLive } from "../machines/rules.ts";
import { guestDevices } from "../media/guest-devices.ts";
import type { EditorProps } from "./editors.ts";
import type { NewDisk } from "./use-settings.ts";

/** A disk that is added is a virtio one. */
const NEW_DISK = { id: "new", file: "new", format: "qcow2", readOnly: false } as const;

function AddDisk({ onAdd, onCancel }: { onAdd(disk: NewDisk): void; onCancel(): void }) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<"create" | "existing">("create");
  const [sizeMiB, setSizeMiB] = useState(8192);
  const [file, setFile] = useState("");
  const valid = kind === "create" ? sizeMiB >= 1 : file.trim() !== "";
  return (
    <div className="card">
      <SegmentedControl
        aria-label={t("settings.addDisk")}
        size="small"
        options={[
          { value: "create", label: t("settings.newDisk") },
          { value: "existing", label: t("settings.existingDisk") },
        ]}
        value={kind}
        onValueChange={(value) => setKind(value === "existing" ? "existing" : "create")}
      />
      {kind === "create" ? (
        <Field label={t("settings.diskSize")}>
          {(control) => <SizeField control={control} valueMiB={sizeMiB} onChange={setSizeMiB} />}
        </Field>
      ) : (
        <Field label={t("settings.file")}>
          {(control) => <FileField control={control} value={file} onChange={setFile} />}
        </Field>
      )}
      <div className="card-head settings-add-actions">
        <Button size="small" text={t("common.cancel")} onClick={onCancel} />
        <Button
          size="small"
          intent="primary"
          text={t("settings.addDisk")}
          disabled={!valid}
          onClick={() => onAdd(kind === "create" ? { sizeMiB } : { file: file.trim() })}
        />
      </div>
    </div>
  );
}

export function DisksEditor({
  control,
  field: declared,
  locked: disabled,
  machine,
  newDisks,
  onNewDisks,
}: EditorProps) {
  const { t } = useTranslation();
  const [adding, setAdding] = useState(false);
  const { fields, remove, update } = useFieldArray({ control, name: "disks", keyName: "key" });
  const disks = useWatch({ control, name: "disks" });
  const names = guestDevices(disks);
  const count = fields.length + newDisks.length;
  return (
    <div className="card-list" data-field="disks">
      <h3>{fieldText(declared, "label")}</h3>
      <p className="field-help">{fieldText(declared, "help")}</p>
      {fields.map((field, index) => {
        const disk = disks[index] ?? field;
        // UEFI's variables come and go with the choice of firmware.
        if (disk.bus === "nvram") return null;
        const content = machine.disks.find((known) => known.id === disk.id);
        return (
          <div className="card" key={field.key}>
            <div className="card-head">
              <Tag minimal>{names[index]}</Tag>
              <span className="card-title" title={disk.file}>
                {disk.file.split(/[\\/]/).at(-1)}
              </span>
              {content && <span className="muted number">{formatBytes(content.sizeBytes)}</span>}
              <Select
                aria-label={t("settings.diskBus", { disk: disk.id })}
                options={[...DISK_BUSES]}
                value={disk.bus ?? "virtio"}
                disabled={disabled}
                onChange={(event) => {
                  const bus = DISK_BUSES.find((each) => each === event.currentTarget.value);
                  // A slot belongs to the place that the disk leaves.
                  if (bus) update(index, { ...disk, bus, slot: undefined });
                }}
              />
              <Switch
                label={t("settings.readOnly")}
                checked={disk.readOnly}
                disabled={disabled}
                onChange={(event) => update(index, { ...disk, readOnly: event.currentTarget.checked })}
              />
              <Switch
                label={t("settings.independent")}
                title={t("settings.independentHint")}
                checked={disk.independent ?? false}
                disabled={disabled || disk.readOnly}
                onChange={(event) =>
                  update(index, { ...disk, independent: event.currentTarget.checked ? true : undefined })
                }
              />
              <Button
                size="small"
                variant="minimal"
                icon={<CrossIcon />}
                aria-label={t("settings.removeDisk", { disk: disk.id })}
                title={t("settings.detachHint")}
                disabled={disabled}
                onClick={() => remove(index)}
              />
            </div>
          </div>
        );
      })}
      {newDisks.map((disk, index) => (
        <div className="card" key={JSON.stringify([index, disk])}>
          <div className="card-head">
            <Tag minimal intent="primary">
              {guestDevices([...disks, ...newDisks.slice(0, index + 1).map(() => NEW_DISK)]).at(-1)}
            </Tag>
            <span className="card-title">
              {"sizeMiB" in disk ? `${t("settings.newDisk")}, ${formatMiB(disk.sizeMiB)}` : disk.file}
            </span>
            <Button
              size="small"
              variant="minimal"
              icon={<CrossIcon />}
              aria-label={t("common.remove")}
              onClick={() => onNewDisks(newDisks.filter((other) => other !== disk))}
            />
          </div>
        </div>
      ))}
      {count === 0 && <p className="muted">{t("settings.noDisks")}</p>}
      {adding ? (
        <AddDisk
          onCancel={() => setAdding(false)}
          onAdd={(disk) => {
            setAdding(false);
            onNewDisks([...newDisks, disk]);
          }}
        />
      ) : (
        <div>
          <Button
            icon={<PlusIcon />}
            text={t("settings.addDisk")}
            disabled={(disabled && !isLive(machine.state)) || count >= DISKS_MAX}
            onClick={() => setAdding(true)}
          />
        </div>
      )}
    </div>
  );
}
