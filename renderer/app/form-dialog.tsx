// A dialog that asks a few things and then does one: Cancel and the answer below, what went wrong above them. It closes when it is done.
import { Button, Dialog, DialogBody, DialogFooter, type Intent } from "@blueprintjs/core";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Failure } from "../../main/contract/schemas.ts";
import { toFailure } from "../api/failure.ts";
import { FailureText } from "../features/notifications/failure-text.tsx";

interface Props {
  readonly title: string;
  /** What the answer is called. */
  readonly action: string;
  readonly intent?: Intent;
  /** Whether all that is needed was given. */
  readonly complete: boolean;
  /** Closing the dialog does not stop what it began. */
  readonly goesOn?: boolean;
  readonly children: ReactNode;
  /** Rejects with what is told in the dialog. */
  run(): Promise<void>;
  onClose(): void;
}

export function FormDialog({ title, action, intent = "primary", complete, goesOn, children, run, onClose }: Props) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      await run();
      onClose();
    } catch (error) {
      setFailure(toFailure(error));
      setBusy(false);
    }
  };
  return (
    <Dialog isOpen title={title} onClose={onClose}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        <DialogBody>
          <div className="form">
            {children}
            {failure && (
              <div className="form-failure" role="alert">
                <FailureText failure={failure} />
              </div>
            )}
          </div>
        </DialogBody>
        <DialogFooter
          actions={
            <>
              <Button text={t(busy && goesOn ? "common.close" : "common.cancel")} onClick={onClose} />
              <Button type="submit" intent={intent} text={action} loading={busy} disabled={!complete} />
            </>
          }
        />
      </form>
    </Dialog>
  );
}
