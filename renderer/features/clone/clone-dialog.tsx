// Cloning: a name, and the copy is on its way as a task with progress.
import { Button, Dialog, DialogBody, DialogFooter, InputGroup } from "@blueprintjs/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { useMachine } from "../../api/queries.ts";
import { Field } from "../../forms/field.tsx";
import { adoptMachine } from "../machines/adopt.ts";
import { FailureText } from "../notifications/failure-text.tsx";
import { notify } from "../notifications/model.ts";

interface Props {
  readonly machineId: string;
  readonly snapshotId: string | null;
  onClose(): void;
}

export default function CloneDialog({ machineId, snapshotId, onClose }: Props) {
  const { t } = useTranslation();
  const original = useMachine(machineId).data?.name ?? "";
  const [typed, setTyped] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const name = typed ?? (original && `${original} 2`);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      adoptMachine(await client.machines.clone({ id: machineId, name, snapshotId }));
      notify({ kind: "success", title: t("clone.done", { name: original }) });
      onClose();
    } catch (error) {
      setFailure(toFailure(error));
    } finally {
      setBusy(false);
    }
  };

  const atName = failure?.field?.endsWith("name") ?? false;
  const title = t(snapshotId ? "clone.titleSnapshot" : "clone.title", { name: original });
  return (
    <Dialog isOpen title={title} onClose={onClose}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        <DialogBody>
          <Field label={t("clone.name")} help={t("clone.hint")} error={atName ? failure?.message : undefined}>
            {(control) => (
              <InputGroup {...control} autoFocus value={name} onChange={(event) => setTyped(event.target.value)} />
            )}
          </Field>
          {failure && !atName && (
            <div className="form-failure" role="alert">
              <FailureText failure={failure} />
            </div>
          )}
        </DialogBody>
        <DialogFooter
          actions={
            <>
              <Button text={t("common.cancel")} onClick={onClose} />
              <Button type="submit" intent="primary" text={t("clone.action")} loading={busy} disabled={!name.trim()} />
            </>
          }
        />
      </form>
    </Dialog>
  );
}
