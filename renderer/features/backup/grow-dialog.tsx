// A disk becomes larger, or smaller where its end is free. The host takes a snapshot before, to which the notification leads back.
import { Button, Dialog, DialogBody, DialogFooter } from "@blueprintjs/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { useMachine } from "../../api/queries.ts";
import { Field } from "../../forms/field.tsx";
import { SizeField } from "../../forms/size-field.tsx";
import { formatBytes } from "../../ui/format.ts";
import { FailureText } from "../notifications/failure-text.tsx";
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
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  if (!machine || !disk) return null;
  const presentMiB = Math.ceil(disk.sizeBytes / MIB);
  const sizeMiB = typed ?? presentMiB * 2;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      const { safetySnapshotId } = await client.machines.resizeDisk({ id: machineId, diskId, sizeMiB });
      notify({
        kind: "success",
        title: t("grow.done", { disk: diskId, size: formatBytes(sizeMiB * MIB) }),
        detail: t("grow.inGuest"),
        actions: safetySnapshotId === null ? [] : [undoWith(safetySnapshotId)],
      });
      onClose();
    } catch (error) {
      setFailure(toFailure(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog isOpen title={t("grow.title", { disk: diskId, name: machine.name })} onClose={onClose}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        <DialogBody>
          <p>{t("grow.present", { size: formatBytes(disk.sizeBytes) })}</p>
          <Field label={t("grow.size")} help={t("grow.inGuest")}>
            {(control) => <SizeField control={control} valueMiB={sizeMiB} onChange={setTyped} />}
          </Field>
          {failure && (
            <div className="form-failure" role="alert">
              <FailureText failure={failure} />
            </div>
          )}
        </DialogBody>
        <DialogFooter
          actions={
            <>
              <Button text={t("common.cancel")} onClick={onClose} />
              <Button
                type="submit"
                intent="primary"
                text={t("grow.action")}
                loading={busy}
                disabled={!(sizeMiB >= 1) || sizeMiB === presentMiB}
              />
            </>
          }
        />
      </form>
    </Dialog>
  );
}
