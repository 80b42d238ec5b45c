// Cloning: a name, how much is shared with the original, how many; and the copy is on its way as a task with progress.
import {
  Button,
  Dialog,
  DialogBody,
  DialogFooter,
  InputGroup,
  NumericInput,
  Radio,
  RadioGroup,
} from "@blueprintjs/core";
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

const KINDS = ["linked", "full"] as const;

interface Props {
  readonly machineId: string;
  readonly snapshotId: string | null;
  onClose(): void;
}

export default function CloneDialog({ machineId, snapshotId, onClose }: Props) {
  const { t } = useTranslation();
  const original = useMachine(machineId).data?.name ?? "";
  const [typed, setTyped] = useState<string | null>(null);
  const [kind, setKind] = useState<"linked" | "full">("linked");
  const [count, setCount] = useState(1);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const name = typed ?? (original && `${original} 2`);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      for (const machine of await client.machines.clone({ id: machineId, name, kind, snapshotId, count })) {
        adoptMachine(machine);
      }
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
          <Field label={t("clone.name")} error={atName ? failure?.message : undefined}>
            {(control) => (
              <InputGroup {...control} autoFocus value={name} onChange={(event) => setTyped(event.target.value)} />
            )}
          </Field>
          <RadioGroup
            label={t("clone.kind")}
            selectedValue={kind}
            onChange={(event) => setKind(event.currentTarget.value === "full" ? "full" : "linked")}
          >
            {KINDS.map((each) => (
              <Radio key={each} value={each} label={t(`clone.kinds.${each}`)}>
                <div className="menu-hint">{t(`clone.hints.${each}`)}</div>
              </Radio>
            ))}
          </RadioGroup>
          <Field label={t("clone.count")} help={count > 1 ? t("clone.countHint", { name }) : undefined}>
            {(control) => <NumericInput {...control} min={1} max={100} value={count} onValueChange={setCount} />}
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
