// Optical drives and their discs. A disc may be changed while the machine runs; drives come and go only while it is off.
import { Button, Tag } from "@blueprintjs/core";
import { CrossIcon, EjectIcon, PlusIcon } from "@blueprintjs/icons";
import { useController } from "react-hook-form";
import { useTranslation } from "react-i18next";
import {
  DRIVE_BUSES,
  OPTICAL_DRIVES_MAX,
  type OpticalDriveConfig,
} from "../../../native-core/config/machine-config.ts";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { fieldText } from "../../forms/schema-fields.ts";
import { Select } from "../../ui/select.tsx";
import type { EditorProps } from "./editors.ts";

function freeId(drives: readonly OpticalDriveConfig[]): string {
  let number = 0;
  while (drives.some(({ id }) => id === `cd${number}`)) number++;
  return `cd${number}`;
}

export function DrivesEditor({ control, field, locked: disabled }: EditorProps) {
  const { t } = useTranslation();
  const { field: input } = useController({ control, name: "opticalDrives" });
  const drives: readonly OpticalDriveConfig[] = input.value;
  const change = (index: number, file: string) => {
    const drive = drives[index];
    if (drive) input.onChange(drives.with(index, { ...drive, file: file || null }));
  };
  return (
    <div className="card-list" data-field={field.path}>
      <h3>{fieldText(field, "label")}</h3>
      <p className="field-help">{fieldText(field, "help")}</p>
      {drives.map((drive, index) => (
        <div className="card" key={drive.id}>
          <div className="card-head">
            <Tag minimal>{drive.id}</Tag>
            <span className="card-title">{drive.file ? "" : t("indicators.noDisc")}</span>
            <Select
              aria-label={t("settings.diskBus", { disk: drive.id })}
              options={[...DRIVE_BUSES]}
              value={drive.bus ?? "ide"}
              disabled={disabled}
              onChange={(event) => {
                const bus = DRIVE_BUSES.find((each) => each === event.currentTarget.value);
                if (bus) input.onChange(drives.with(index, { ...drive, bus }));
              }}
            />
            <Button
              size="small"
              variant="minimal"
              icon={<EjectIcon />}
              text={t("settings.eject")}
              disabled={disabled || !drive.file}
              onClick={() => change(index, "")}
            />
            <Button
              size="small"
              variant="minimal"
              icon={<CrossIcon />}
              aria-label={t("settings.removeDisk", { disk: drive.id })}
              disabled={disabled}
              onClick={() => input.onChange(drives.toSpliced(index, 1))}
            />
          </div>
          <Field label={t("settings.disc")}>
            {(props) => (
              <FileField
                control={props}
                value={drive.file ?? ""}
                disabled={disabled}
                onChange={(file) => change(index, file)}
              />
            )}
          </Field>
        </div>
      ))}
      <div>
        <Button
          icon={<PlusIcon />}
          text={t("settings.addDrive")}
          disabled={disabled || drives.length >= OPTICAL_DRIVES_MAX}
          onClick={() => input.onChange([...drives, { id: freeId(drives), file: null }])}
        />
      </div>
    </div>
  );
}
