// The image of a disk becomes a qcow2 image of its own. The work is a task: it goes on without the dialog, with progress and cancel among
// the notifications.
import { InputGroup } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/index.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { notify } from "../notifications/model.ts";

/** Beside the original, and never the original itself. */
function targetOf(source: string): string {
  const base = source.replace(/\.[^.\\/]*$/, "");
  return /\.qcow2$/i.test(source) ? `${base}-copy.qcow2` : `${base}.qcow2`;
}

export default function ConvertDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const [source, setSource] = useState("");
  const [typed, setTyped] = useState<string | null>(null);
  const target = typed ?? (source.trim() === "" ? "" : targetOf(source.trim()));

  const run = async () => {
    const { file } = await client.media.convert({ source: source.trim(), target: target.trim() });
    notify({ kind: "success", title: t("media.converted"), detail: file });
  };

  return (
    <FormDialog
      title={t("media.convertTitle")}
      action={t("media.convertAction")}
      complete={source.trim() !== "" && target.trim() !== ""}
      goesOn
      run={run}
      onClose={onClose}
    >
      <p>{t("media.convertHelp")}</p>
      <Field label={t("media.convertSource")}>
        {(control) => <FileField control={control} value={source} onChange={setSource} />}
      </Field>
      <Field label={t("media.convertTarget")}>
        {(control) => <InputGroup {...control} value={target} onChange={(event) => setTyped(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
