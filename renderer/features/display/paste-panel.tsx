// Text typed into the guest as if by hand: for guests without a shared clipboard, and for their log-in screens.
import { Button, ProgressBar, TextArea } from "@blueprintjs/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { notify } from "../notifications/model.ts";
import { typeText } from "./keys.ts";
import { LayoutSelect, useGuestLayout } from "./layout-select.tsx";
import type { Screen } from "./use-screen.ts";

interface Props {
  readonly screen: Screen;
  onClose(): void;
}

export function PastePanel({ screen, onClose }: Props) {
  const { t } = useTranslation();
  const layout = useGuestLayout();
  const [text, setText] = useState("");
  const [progress, setProgress] = useState<number | null>(null);
  const abort = useRef<AbortController | null>(null);

  useEffect(() => {
    // Reading the clipboard may be refused; then the text is put in by hand.
    navigator.clipboard
      ?.readText()
      .then((clipboard) => setText((typed) => typed || clipboard))
      .catch(() => undefined);
    return () => abort.current?.abort();
  }, []);

  const type = async (event: FormEvent) => {
    event.preventDefault();
    const rfb = screen.rfb.current;
    if (!rfb) return;
    abort.current = new AbortController();
    setProgress(0);
    const skipped = await typeText(rfb, text, layout, abort.current.signal, setProgress);
    if (skipped > 0) notify({ kind: "info", title: t("display.pasteSkipped", { count: skipped }) });
    onClose();
    rfb.focus();
  };

  return (
    <form className="display-panel" aria-label={t("display.paste")} onSubmit={(event) => void type(event)}>
      <TextArea
        fill
        autoFocus
        rows={3}
        aria-label={t("display.pasteText")}
        placeholder={t("display.pasteText")}
        value={text}
        disabled={progress !== null}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onClose()}
      />
      {progress !== null && <ProgressBar value={progress} stripes={false} aria-label={t("display.paste")} />}
      <div className="display-panel-actions">
        <span className="muted">{t("display.pasteHint")}</span>
        <LayoutSelect />
        <Button text={t("common.cancel")} onClick={onClose} />
        <Button
          type="submit"
          intent="primary"
          text={t("display.pasteType")}
          disabled={!text || progress !== null || screen.link !== "open"}
        />
      </div>
    </form>
  );
}
