// Files of the guest as they were in a snapshot: browse, save to this computer, or hand to the running guest on a disc. Read from the disk's
// layers, so the guest need not run and need not help.
import { Button, NonIdealState, Spinner } from "@blueprintjs/core";
import { ArrowUpIcon, DocumentIcon, DownloadIcon, FolderCloseIcon, ImportIcon } from "@blueprintjs/icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, SnapshotFolder } from "../../../main/contract/schemas.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useSnapshots } from "../../api/queries.ts";
import { formatBytes, formatDateTime } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { downloadSnapshotFile, handToGuest } from "../snapshots/snapshot-actions.ts";
import "./files.css";

type Place = SnapshotFolder["places"][number];
type Entry = SnapshotFolder["entries"][number];

const placeKey = ({ diskId, partition }: Pick<Place, "diskId" | "partition">): string => `${diskId}/${partition}`;
const parentOf = (folder: string): string => folder.replace(/\/[^/]*$/, "") || "/";

interface BrowserProps {
  readonly snapshotId: string;
}

function FolderBrowser({ snapshotId }: BrowserProps) {
  const { t } = useTranslation();
  const [place, setPlace] = useState<Place | null>(null);
  const [folder, setFolder] = useState("/");
  const { data, error, isFetching } = useQuery({
    queryKey: keys.snapshotFolder(snapshotId, place ? placeKey(place) : "", folder),
    queryFn: () =>
      client.snapshots.listFolder({
        snapshotId,
        path: folder,
        ...(place && { diskId: place.diskId, partition: place.partition }),
      }),
    placeholderData: keepPreviousData,
    retry: false,
  });
  const name = ({ diskId, partition, fileSystem, label }: Place): string =>
    [partition === 0 ? diskId : t("snapshotFiles.partition", { disk: diskId, number: partition }), label || fileSystem]
      .filter(Boolean)
      .join(" · ");
  if (error) return <NonIdealState icon="error" title={failureSentence(toFailure(error))} />;
  if (!data) return <Spinner size={24} />;
  const { diskId, partition } = data;
  if (diskId === null || partition === null)
    return <NonIdealState icon="document" title={t("snapshotFiles.none")} description={t("snapshotFiles.noneBody")} />;
  const here = { snapshotId, diskId, partition };
  return (
    <>
      <div className="files-place">
        <Select
          aria-label={t("snapshotFiles.fileSystem")}
          value={placeKey({ diskId, partition })}
          options={data.places.map((each) => ({ value: placeKey(each), label: name(each) }))}
          onChange={(event) => {
            setPlace(data.places.find((each) => placeKey(each) === event.target.value) ?? null);
            setFolder("/");
          }}
        />
        <Button
          variant="minimal"
          icon={<ArrowUpIcon />}
          aria-label={t("files.up")}
          title={t("files.up")}
          disabled={folder === "/"}
          onClick={() => setFolder(parentOf(folder))}
        />
        <span className="mono selectable">{folder}</span>
        {isFetching && <Spinner size={14} />}
      </div>
      <table className="data-table files-table" aria-label={t("snapshotFiles.table", { folder })}>
        <thead>
          <tr>
            {(["name", "size", "changed", "commands"] as const).map((column) => (
              <th key={column} scope="col">
                {t(`snapshotFiles.columns.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.entries.map((entry) => (
            <FileRow
              key={entry.path}
              entry={entry}
              onOpen={() => setFolder(entry.path)}
              onSave={() => void downloadSnapshotFile(snapshotId, diskId, partition, entry.path)}
              onHand={() => void handToGuest({ ...here, path: entry.path })}
            />
          ))}
        </tbody>
      </table>
      {data.entries.length === 0 && <p className="muted">{t("files.empty")}</p>}
    </>
  );
}

interface RowProps {
  readonly entry: Entry;
  onOpen(): void;
  onSave(): void;
  onHand(): void;
}

function FileRow({ entry, onOpen, onSave, onHand }: RowProps) {
  const { t } = useTranslation();
  const { name, kind, sizeBytes, modifiedMs } = entry;
  return (
    <tr>
      <th scope="row">
        {kind === "folder" ? (
          <button type="button" className="files-folder" onClick={onOpen}>
            <FolderCloseIcon /> {name}
          </button>
        ) : (
          <span className="files-name">
            <DocumentIcon /> {name}
          </span>
        )}
      </th>
      <td className="number muted">{kind === "file" && formatBytes(sizeBytes)}</td>
      <td className="number muted">{modifiedMs > 0 && formatDateTime(modifiedMs)}</td>
      <td className="files-commands">
        {kind === "file" && (
          <>
            <Button
              variant="minimal"
              size="small"
              icon={<DownloadIcon />}
              aria-label={t("snapshots.takeFile", { path: name })}
              title={t("snapshots.takeFileHint")}
              onClick={onSave}
            />
            <Button
              variant="minimal"
              size="small"
              icon={<ImportIcon />}
              aria-label={t("snapshotFiles.hand", { name })}
              title={t("snapshotFiles.handHint")}
              onClick={onHand}
            />
          </>
        )}
      </td>
    </tr>
  );
}

export default function FilesPane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const snapshots = useSnapshots(machine.id).data?.snapshots ?? [];
  const newest = snapshots.toSorted((a, b) => b.takenAtMs - a.takenAtMs);
  const [chosen, setChosen] = useState<string | null>(null);
  const snapshot = newest.find(({ id }) => id === chosen) ?? newest[0];
  if (!snapshot) {
    return (
      <div className="pane-scroll">
        <NonIdealState
          icon="document"
          title={t("snapshotFiles.noSnapshot")}
          description={t("snapshotFiles.noSnapshotBody")}
        />
      </div>
    );
  }
  return (
    <>
      <div className="pane-bar">
        <Select
          aria-label={t("snapshotFiles.snapshot")}
          value={snapshot.id}
          options={newest.map(({ id, name, takenAtMs }) => ({
            value: id,
            label: `${name} · ${formatDateTime(takenAtMs)}`,
          }))}
          onChange={(event) => setChosen(event.target.value)}
        />
        <span className="muted">{t("snapshotFiles.asItWas")}</span>
      </div>
      <div className="files-scroll">
        <FolderBrowser key={snapshot.id} snapshotId={snapshot.id} />
      </div>
    </>
  );
}
