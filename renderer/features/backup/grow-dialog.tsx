// A disk becomes larger, or smaller where its end is free. The host takes a snapshot before, to which the notification leads back.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { client } from "../../api/index.ts";
import { useMachine } from "../../api/queries.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { Field } from "../../forms/field.tsx";
import { SizeField } from "../../forms/size-field.tsx";
import { formatBytes } from "../../ui/format.ts";
import { notify } from "../notifications/model.ts";
import { undoWith } from "../snapshots/snapshot-actions.ts";

const MIB = 1 << 20;

interface Props {
  readonly machineId: string;
  readonly diskId: string;
  onClose(): void;
}

export default function GrowDialog({ machineId, diskId, onClose }: Props) {
  const { t } = useTranslation();
  const machine = useMachine(machineId).data;
  const disk = machine?.disks.find(({ id }) => id === diskId);
  const [typed, setTyped] = useState<number | null>(null);
  if (!machine || !disk) return null;
  const presentMiB = Math.ceil(disk.sizeBytes / MIB);
  const sizeMiB = typed ?? presentMiB * 2;

  const run = async () => {
    const { safetySnapshotId } = await client.machines.resizeDisk({ id: machineId, diskId, sizeMiB });
    notify({
      kind: "success",
      title: t("grow.done", { disk: diskId, size: formatBytes(sizeMiB * MIB) }),
      detail: t("grow.inGuest"),
      actions: safetySnapshotId === null ? [] : [undoWith(safetySnapshotId)],
    });
  };

  return (
    <FormDialog
      title={t("grow.title", { disk: diskId, name: machine.name })}
      action={t("grow.action")}
      complete={sizeMiB > presentMiB}
      run={run}
      onClose={onClose}
    >
      <p>{t("grow.present", { size: formatBytes(disk.sizeBytes) })}</p>
      <Field label={t("grow.size")} help={t("grow.inGuest")}>
        {(control) => <SizeField control={control} valueMiB={sizeMiB} onChange={setTyped} />}
      </Field>
    </FormDialog>
  );
}
