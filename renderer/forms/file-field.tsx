// A path on the host: typed, or chosen with the picker.
import { Button, InputGroup } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ControlProps } from "./field.tsx";
import { FilePicker } from "./file-picker.tsx";

interface Props {
  readonly control: ControlProps;
  readonly value: string;
  readonly placeholder?: string;
  readonly disabled?: boolean;
  readonly choose?: "file" | "folder";
  onChange(path: string): void;
}

function folderOf(path: string): string | null {
  const folder = path.replace(/[\\/][^\\/]*$/, "");
  return /^([\\/]|[A-Za-z]:)/.test(path) && folder ? folder : null;
}

export function FileField({ control, value, placeholder, disabled = false, choose = "file", onChange }: Props) {
  const { t } = useTranslation();
  const [picking, setPicking] = useState(false);
  return (
    <div className="field-row">
      <InputGroup
        {...control}
        fill
        spellCheck={false}
        placeholder={placeholder ?? t("files.nothingChosen")}
        value={value}
        disabled={disabled}
        onChange={(event) => onChange(event.target.value)}
      />
      <Button text={t("common.browse")} disabled={disabled} onClick={() => setPicking(true)} />
      {picking && (
        <FilePicker
          folder={choose === "folder" ? value || null : folderOf(value)}
          choose={choose}
          onClose={() => setPicking(false)}
          onChoose={(path) => {
            setPicking(false);
            onChange(path);
          }}
        />
      )}
    </div>
  );
}
