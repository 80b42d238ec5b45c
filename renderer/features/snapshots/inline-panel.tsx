// A question asked inside the pane instead of over it: title, content, confirm, cancel. Escape cancels.
import { Button, type Intent } from "@blueprintjs/core";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

interface Props {
  readonly title: string;
  readonly confirm: string;
  readonly intent?: Intent;
  readonly children: ReactNode;
  onConfirm(): Promise<boolean>;
  onClose(): void;
}

export function InlinePanel({ title, confirm, intent = "primary", children, onConfirm, onClose }: Props) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && onClose();
    const element = form.current;
    element?.addEventListener("keydown", onKey);
    return () => element?.removeEventListener("keydown", onKey);
  }, [onClose]);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const done = await onConfirm();
    setBusy(false);
    if (done) onClose();
  };
  return (
    <form ref={form} className="inline-panel" aria-label={title} onSubmit={(event) => void submit(event)}>
      <h3>{title}</h3>
      <div className="inline-panel-body">{children}</div>
      <div className="inline-panel-actions">
        <Button text={t("common.cancel")} onClick={onClose} />
        <Button type="submit" intent={intent} text={confirm} loading={busy} />
      </div>
    </form>
  );
}
