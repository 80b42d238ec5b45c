// The description of a machine, written where it is read: saved when the field is left, Escape takes it back.
import { TextArea } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { settingLabel } from "../../forms/schema-fields.ts";
import { changeSetting } from "../machines/run-command.ts";

export function Notes({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
  const saved = machine.config.description;
  const [text, setText] = useState(saved);
  return (
    <TextArea
      fill
      autoResize
      className="details-notes"
      aria-label={settingLabel("description")}
      placeholder={t("details.noDescription")}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => text !== saved && void changeSetting(machine.id, { description: text })}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        setText(saved);
        event.stopPropagation();
      }}
    />
  );
}
