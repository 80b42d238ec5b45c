// Gives files that were dropped on a running machine's screen to its guest: they become a disc in a drive, without help in the guest.
import { ProgressBar } from "@blueprintjs/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { HANDED_FILES_MAX, HANDED_MAX_BYTES, stageFiles } from "../../../main/contract/handed.ts";
import { client } from "../../api/index.ts";
import { useMachine } from "../../api/queries.ts";
import { FormDialog } from "../../app/form-dialog.tsx";
import { formatBytes } from "../../ui/format.ts";
import { notify } from "../notifications/model.ts";
import { changeDisc } from "./change-disc.ts";
import "./media.css";

interface Props {
  readonly machineId: string;
  readonly files: readonly File[];
  onClose(): void;
}

export default function HandFilesDialog({ machineId, files, onClose }: Props) {
  const { t } = useTranslation();
  const machine = useMachine(machineId).data;
  const [progress, setProgress] = useState<number | null>(null);
  const ended = useRef<AbortController>(new AbortController());
  // Closing the dialog ends what it sends; what has arrived is forgotten by the host.
  useEffect(() => {
    ended.current = new AbortController();
    return () => ended.current.abort();
  }, []);

  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const drives = machine?.config.opticalDrives ?? [];
  const drive = drives.find(({ file }) => file === null) ?? drives[0];
  const tooMuch = files.length > HANDED_FILES_MAX || bytes > HANDED_MAX_BYTES;
  const limits = { number: HANDED_FILES_MAX, size: formatBytes(HANDED_MAX_BYTES) };

  const run = async () => {
    const { signal } = ended.current;
    const upload = crypto.randomUUID();
    const sources = files.map((file) => ({
      ...{ name: file.name, size: file.size },
      read: (start: number, end: number) => file.slice(start, end).bytes(),
    }));
    setProgress(0);
    try {
      await stageFiles(client.media, { id: machineId, upload }, sources, toBase64, setProgress, signal);
      signal.throwIfAborted();
      const { changed, driveId } = await client.media.handFiles({ id: machineId, upload });
      notify({
        kind: changed ? "success" : "info",
        title: t(changed ? "handFiles.done" : "discs.kept", { drive: driveId }),
        detail: t(changed ? "handFiles.doneBody" : "snapshotFiles.keptBody"),
        actions: changed ? [{ label: t("discs.eject"), run: () => void changeDisc(machineId, driveId, null) }] : [],
      });
    } finally {
      setProgress(null);
    }
  };

  return (
    <FormDialog
      title={t("handFiles.title", { name: machine?.name ?? "" })}
      action={t("handFiles.action")}
      complete={drive !== undefined && !tooMuch}
      run={run}
      onClose={onClose}
    >
      <ul className="hand-files">
        {files.slice(0, HANDED_FILES_MAX).map((file) => (
          <li key={file.name}>
            {file.name} <span className="muted">{formatBytes(file.size)}</span>
          </li>
        ))}
      </ul>
      <p role={tooMuch || !drive ? "alert" : undefined}>
        {tooMuch
          ? t("handFiles.tooMuch", limits)
          : !drive
            ? t("handFiles.noDrive")
            : drive.file === null
              ? t("handFiles.help", { drive: drive.id })
              : t("handFiles.instead", { drive: drive.id })}
      </p>
      {progress !== null && <ProgressBar value={progress} aria-label={t("handFiles.progress")} />}
    </FormDialog>
  );
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
