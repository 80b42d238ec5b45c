// Chooses a file or a folder of the host. The host lists one folder at a time; nothing is read or uploaded.
import { Button, Dialog, DialogBody, DialogFooter, InputGroup } from "@blueprintjs/core";
import { ArrowUpIcon, DocumentIcon, FolderCloseIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { failureSentence, toFailure } from "../api/failure.ts";
import { client } from "../api/index.ts";
import { keys } from "../api/keys.ts";
import { usePreference } from "../app/preferences.ts";
import { formatBytes } from "../ui/format.ts";
import "./file-picker.css";

type Entry = Awaited<ReturnType<typeof client.files.browse>>["entries"][number];

/** Folders first, hidden ones after the others, by name. */
function sortEntries(entries: readonly Entry[]): Entry[] {
  const rank = (entry: Entry) => Number(entry.kind === "file") + 2 * Number(entry.name.startsWith("."));
  return entries.toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

interface Props {
  /** Folder to open first; null for the host's choice. */
  readonly folder: string | null;
  /** What is wanted; a folder is chosen by opening it. */
  readonly choose?: "file" | "folder";
  onChoose(path: string): void;
  onClose(): void;
}

export function FilePicker({ folder: first, choose = "file", onChoose, onClose }: Props) {
  const { t } = useTranslation();
  const usual = usePreference("filesFolder");
  const [folder, setFolder] = useState(first ?? (usual || null));
  const [typed, setTyped] = useState<string | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const listing = useQuery({
    queryKey: keys.files(folder),
    queryFn: () => client.files.browse({ folder }),
    placeholderData: (previous) => previous,
    staleTime: 0,
  });
  const wantsFolder = choose === "folder";
  const entries = sortEntries(listing.data?.entries ?? []).filter(({ kind }) => kind === "folder" || !wantsFolder);
  const choice = wantsFolder ? (listing.data?.folder ?? null) : chosen;

  const enter = (path: string | null) => {
    setFolder(path);
    setTyped(null);
    setChosen(null);
  };
  const onPathKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || typed === null) return;
    event.preventDefault();
    enter(typed);
  };

  return (
    <Dialog
      isOpen
      title={t(wantsFolder ? "files.folderTitle" : "files.title")}
      onClose={onClose}
      className="file-picker"
    >
      <DialogBody useOverflowScrollContainer={false}>
        <div className="field-row">
          <Button
            icon={<ArrowUpIcon />}
            aria-label={t("files.up")}
            title={t("files.up")}
            disabled={!listing.data?.parent}
            onClick={() => enter(listing.data?.parent ?? null)}
          />
          <InputGroup
            fill
            aria-label={t("files.folder")}
            value={typed ?? listing.data?.folder ?? ""}
            onChange={(event) => setTyped(event.target.value)}
            onKeyDown={onPathKey}
          />
        </div>
        {listing.error && (
          <p className="field-error" role="alert">
            {failureSentence(toFailure(listing.error))}
          </p>
        )}
        <ul className="file-list" aria-label={t("files.list")}>
          {entries.map((entry) => (
            <li key={entry.path}>
              <button
                type="button"
                aria-pressed={entry.kind === "file" ? entry.path === chosen : undefined}
                onClick={() => (entry.kind === "folder" ? enter(entry.path) : setChosen(entry.path))}
                onDoubleClick={() => entry.kind === "file" && onChoose(entry.path)}
              >
                {entry.kind === "folder" ? <FolderCloseIcon /> : <DocumentIcon />}
                <span className="file-name">{entry.name}</span>
                {entry.kind === "file" && <span className="muted number">{formatBytes(entry.sizeBytes)}</span>}
              </button>
            </li>
          ))}
          {listing.data && entries.length === 0 && <li className="muted file-empty">{t("files.empty")}</li>}
        </ul>
      </DialogBody>
      <DialogFooter
        actions={
          <>
            <Button text={t("common.cancel")} onClick={onClose} />
            <Button
              intent="primary"
              text={t(wantsFolder ? "files.chooseFolder" : "files.choose")}
              disabled={!choice}
              onClick={() => choice && onChoose(choice)}
            />
          </>
        }
      />
    </Dialog>
  );
}
