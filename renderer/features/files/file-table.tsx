// A folder's path with the way up, and its entries: what the panes for files of snapshots and of shared folders have in common.
import { Button, Spinner } from "@blueprintjs/core";
import { ArrowUpIcon, DocumentIcon, DownloadIcon, FolderCloseIcon } from "@blueprintjs/icons";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { SnapshotFolder } from "../../../main/contract/schemas.ts";
import { formatBytes, formatDateTime } from "../../ui/format.ts";

export type FileEntry = SnapshotFolder["entries"][number];

const parentOf = (folder: string): string => folder.replace(/\/[^/]*$/, "") || "/";

interface Props {
  readonly folder: string;
  readonly entries: readonly FileEntry[];
  readonly isFetching: boolean;
  /** In front of the path. */
  readonly place?: ReactNode;
  onFolder(folder: string): void;
  onSave(file: FileEntry): void;
  /** Further commands on a file. */
  renderCommands?(file: FileEntry): ReactNode;
}

export function FileTable({ folder, entries, isFetching, place, onFolder, onSave, renderCommands }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <div className="files-place">
        {place}
        <Button
          variant="minimal"
          icon={<ArrowUpIcon />}
          aria-label={t("files.up")}
          title={t("files.up")}
          disabled={folder === "/"}
          onClick={() => onFolder(parentOf(folder))}
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
          {entries.map((entry) => (
            <FileRow key={entry.path} entry={entry} onOpen={() => onFolder(entry.path)} onSave={() => onSave(entry)}>
              {renderCommands?.(entry)}
            </FileRow>
          ))}
        </tbody>
      </table>
      {entries.length === 0 && <p className="muted">{t("files.empty")}</p>}
    </>
  );
}

interface RowProps {
  readonly entry: FileEntry;
  readonly children: ReactNode;
  onOpen(): void;
  onSave(): void;
}

function FileRow({ entry, children, onOpen, onSave }: RowProps) {
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
            {children}
          </>
        )}
      </td>
    </tr>
  );
}
