// A machine comes from elsewhere: from an exported file, a folder of another product, or a folder with backups, of which one is chosen.
import { InputGroup, Radio, RadioGroup } from "@blueprintjs/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Backup } from "../../../main/contract/schemas.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { formatBytes, formatDateTime } from "../../ui/format.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { notify } from "../notifications/model.ts";

const SOURCES = ["file", "folder", "backup"] as const;
type Source = (typeof SOURCES)[number];

interface BackupsProps {
  readonly folder: string;
  readonly chosen: string | null;
  onChoose(id: string): void;
}

/** What a folder has, newest first. */
function BackupList({ folder, chosen, onChoose }: BackupsProps) {
  const { t } = useTranslation();
  const found = useQuery({
    queryKey: keys.backups(folder),
    queryFn: () => client.backups.list({ folder }),
    enabled: folder !== "",
    retry: false,
    staleTime: 0,
  });
  if (found.error) {
    return (
      <p className="field-error" role="alert">
        {failureSentence(toFailure(found.error))}
      </p>
    );
  }
  if (!found.data) return null;
  if (found.data.length === 0) return <p className="muted">{t("import.noBackups")}</p>;
  const label = ({ machineName, takenAtMs, sizeBytes, withMemory }: Backup) =>
    t(withMemory ? "import.backupWithMemory" : "import.backup", {
      ...{ name: machineName, time: formatDateTime(takenAtMs), size: formatBytes(sizeBytes) },
    });
  return (
    <RadioGroup
      label={t("import.which")}
      selectedValue={chosen ?? ""}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      {found.data.map((backup) => (
        <Radio key={backup.id} value={backup.id} label={label(backup)} />
      ))}
    </RadioGroup>
  );
}

interface Props {
  /** Proposed: what was opened with the app. */
  readonly file: string | undefined;
  onClose(): void;
}

export default function ImportDialog({ file, onClose }: Props) {
  const { t } = useTranslation();
  const [source, setSource] = useState<Source>("file");
  const [path, setPath] = useState(file ?? "");
  const [backupId, setBackupId] = useState<string | null>(null);
  const [typed, setTyped] = useState("");
  const isBackup = source === "backup";

  const run = async () => {
    const name = typed.trim() === "" ? {} : { name: typed.trim() };
    const machine =
      isBackup && backupId !== null
        ? await client.backups.restore({ folder: path, backupId, ...name })
        : await client.machines.import({ file: path, ...name });
    adoptMachine(machine);
    notify({ kind: "success", title: t("create.created", { name: machine.name }) });
  };

  const changePath = (next: string) => {
    setPath(next);
    setBackupId(null);
  };

  return (
    <FormDialog
      title={t("import.title")}
      action={t("import.action")}
      complete={path.trim() !== "" && (!isBackup || backupId !== null)}
      run={run}
      onClose={onClose}
    >
      <RadioGroup
        label={t("import.source")}
        selectedValue={source}
        onChange={(event) => {
          setSource(event.currentTarget.value as Source);
          changePath("");
        }}
      >
        {SOURCES.map((each) => (
          <Radio key={each} value={each} label={t(`import.sources.${each}`)}>
            <div className="menu-hint">{t(`import.hints.${each}`)}</div>
          </Radio>
        ))}
      </RadioGroup>
      <Field label={t(source === "file" ? "import.file" : "backup.folder")}>
        {(control) => (
          <FileField
            control={control}
            choose={source === "file" ? "file" : "folder"}
            value={path}
            onChange={changePath}
          />
        )}
      </Field>
      {isBackup && <BackupList folder={path} chosen={backupId} onChoose={setBackupId} />}
      <Field label={t("import.name")} help={t("import.nameHint")}>
        {(control) => <InputGroup {...control} value={typed} onChange={(event) => setTyped(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
