// A machine goes elsewhere: as a backup in a folder, as one file for another Terrarium, or as an archive for other products.
import { Checkbox, InputGroup, Radio, RadioGroup } from "@blueprintjs/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useMachine } from "../../api/queries.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { formatBytes } from "../../ui/format.ts";
import { isOff } from "../machines/rules.ts";
import { notify } from "../notifications/model.ts";
import { fileIn, fileNameOf, freeFileName } from "./file-names.ts";

const KINDS = ["terrarium", "ova", "backup"] as const;
type Kind = (typeof KINDS)[number];

interface Props {
  readonly machineId: string;
  onClose(): void;
}

export default function ExportDialog({ machineId, onClose }: Props) {
  const { t } = useTranslation();
  const machine = useMachine(machineId).data;
  const usual = usePreference("filesFolder");
  const last = usePreference("exportFolder");
  const [kind, setKind] = useState<Kind>("terrarium");
  const [chosen, setFolder] = useState<string | null>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const [memory, setMemory] = useState(false);
  // Where the last one went, else where files begin; null is the host's choice, the user's own folder.
  const asked = chosen ?? (last || usual || null);
  const listing = useQuery({
    queryKey: keys.files(asked),
    queryFn: () => client.files.browse({ folder: asked }),
    enabled: asked !== "",
    retry: false,
    staleTime: 0,
  });
  if (!machine) return null;
  const folder = asked ?? listing.data?.folder ?? "";
  const isFile = kind !== "backup";
  const there = listing.data?.entries.map((entry) => entry.name) ?? [];
  const name = typed ?? freeFileName(fileNameOf(machine.name), kind, there);

  const make = async (): Promise<string> => {
    if (!isFile) {
      const { sizeBytes, writtenBytes } = await client.backups.create({ id: machineId, folder, memory });
      return t("backup.backedUp", { size: formatBytes(sizeBytes), written: formatBytes(writtenBytes) });
    }
    const file = fileIn(folder, name);
    const { sizeBytes } = await client.machines.export({ id: machineId, file, memory: memory && kind === "terrarium" });
    return t("backup.exported", { file, size: formatBytes(sizeBytes) });
  };

  const run = async () => {
    notify({ kind: "success", title: t(`backup.done.${kind}`, { name: machine.name }), detail: await make() });
    setPreference("exportFolder", folder);
  };

  return (
    <FormDialog
      title={t("backup.title", { name: machine.name })}
      action={t(isFile ? "backup.export" : "backup.backUp")}
      complete={folder.trim() !== "" && (!isFile || name.trim() !== "")}
      goesOn
      run={run}
      onClose={onClose}
    >
      <RadioGroup
        label={t("backup.kind")}
        selectedValue={kind}
        onChange={(event) => {
          setKind(event.currentTarget.value as Kind);
          setTyped(null);
        }}
      >
        {KINDS.map((each) => (
          <Radio key={each} value={each} label={t(`backup.kinds.${each}`)}>
            <div className="menu-hint">{t(`backup.hints.${each}`)}</div>
          </Radio>
        ))}
      </RadioGroup>
      <Field label={t("backup.folder")}>
        {(control) => <FileField control={control} choose="folder" value={folder} onChange={setFolder} />}
      </Field>
      {isFile && (
        <Field label={t("backup.file")}>
          {(control) => <InputGroup {...control} value={name} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
      )}
      {kind !== "ova" && !isOff(machine.state) && (
        <Checkbox
          label={t("backup.memory")}
          checked={memory}
          onChange={(event) => setMemory(event.currentTarget.checked)}
        />
      )}
    </FormDialog>
  );
}
