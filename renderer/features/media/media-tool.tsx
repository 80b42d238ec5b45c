// Media: every disk image and disc with its machine, what the guest sees of it and what it takes here; the largest first, because that is what
// people look for.
import { Button, InputGroup, Tag } from "@blueprintjs/core";
import { SearchIcon, SwapHorizontalIcon, TrashIcon, UndoIcon, WarningSignIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { DiskEntry } from "../../../main/contract/schemas.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { openDialog, selectMachine } from "../../app/navigation.ts";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { Downloads } from "./downloads.tsx";
import { deleteImage, putBack } from "./remove-disk.ts";
import "./media.css";

const REFRESH_MS = 10_000;

const fileName = (file: string): string => file.split(/[\\/]/).at(-1) ?? file;
const total = (disk: DiskEntry): number => disk.usedBytes + disk.layerBytes;

/** A disc that several machines have is on this computer once. */
function bytesOnHost(disks: readonly DiskEntry[]): number {
  const byFile = new Map(disks.map((disk) => [disk.file, total(disk)]));
  return [...byFile.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function DiskRow({ disk }: { readonly disk: DiskEntry }) {
  const { t } = useTranslation();
  const { machineId, diskId } = disk;
  return (
    <tr>
      <th scope="row">
        <span className="media-name" title={disk.file}>
          {fileName(disk.file)}
        </span>
        {disk.missing && (
          <Tag minimal intent="danger" icon={<WarningSignIcon />}>
            {t("media.missing")}
          </Tag>
        )}
        {diskId === null && <Tag minimal>{t("media.leftOver")}</Tag>}
        {disk.detached && (
          <>
            <Tag minimal>{t("media.detached")}</Tag>
            <Button
              {...{ variant: "minimal", size: "small", icon: <UndoIcon /> }}
              text={t("media.putBack")}
              aria-label={t("media.putBackNamed", { name: fileName(disk.file), machine: disk.machineName })}
              onClick={() => void putBack(machineId, disk.file)}
            />
            <Button
              {...{ variant: "minimal", size: "small", icon: <TrashIcon /> }}
              aria-label={t("media.deleteNamed", { name: fileName(disk.file) })}
              title={t("trash.delete")}
              onClick={() => void deleteImage(machineId, disk.file, fileName(disk.file))}
            />
          </>
        )}
        {disk.readOnly && <Tag minimal>{t("details.readOnly")}</Tag>}
      </th>
      <td>
        <button type="button" className="setting-link" onClick={() => selectMachine(machineId)}>
          {disk.machineName}
        </button>
      </td>
      <td>
        {diskId === null || disk.detached ? (
          [diskId, disk.format].filter(Boolean).join(", ")
        ) : (
          <button
            type="button"
            className="setting-link"
            title={t("details.edit", { label: fileName(disk.file) })}
            onClick={() =>
              openDialog({
                kind: "settings",
                machineId,
                field: disk.format === "iso" ? "opticalDrives" : "disks",
              })
            }
          >
            {diskId}, {disk.format}
          </button>
        )}
      </td>
      <td className="number">{disk.sizeBytes > 0 && formatBytes(disk.sizeBytes)}</td>
      <td className="number">
        <span className="cell-line">
          <Meter value={disk.usedBytes / Math.max(1, disk.sizeBytes)} />
          {formatBytes(disk.usedBytes)}
        </span>
      </td>
      <td className="number">{disk.layerBytes > 0 && formatBytes(disk.layerBytes)}</td>
    </tr>
  );
}

export default function MediaTool() {
  const { t } = useTranslation();
  const [filter, setFilter] = useState("");
  const disks = useQuery({
    queryKey: keys.disks,
    queryFn: () => client.disks.list(),
    staleTime: 0,
    refetchInterval: REFRESH_MS,
  }).data;
  const text = filter.trim().toLocaleLowerCase();
  const shown = (disks ?? [])
    .filter(({ file, machineName }) => `${fileName(file)} ${machineName}`.toLocaleLowerCase().includes(text))
    .sort((a, b) => total(b) - total(a));
  return (
    <div className="tool-page">
      <div className="tool-head">
        <h1>{t("tool.media")}</h1>
        <span className="pane-bar-space" />
        <Button
          variant="minimal"
          icon={<SwapHorizontalIcon />}
          text={t("media.convert")}
          onClick={() => openDialog({ kind: "convert" })}
        />
        <InputGroup
          type="search"
          leftElement={<SearchIcon />}
          placeholder={t("media.find")}
          aria-label={t("media.find")}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      {disks && (
        <p className="muted number">
          {t("media.total", {
            number: t("media.count", { count: shown.length }),
            size: formatBytes(bytesOnHost(shown)),
          })}
        </p>
      )}
      <table className="data-table" aria-label={t("media.table")}>
        <thead>
          <tr>
            {(["image", "machine", "attached", "size", "used", "layers"] as const).map((column) => (
              <th key={column} scope="col">
                {t(`media.columns.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((disk) => (
            <DiskRow key={`${disk.machineId} ${disk.file}`} disk={disk} />
          ))}
        </tbody>
      </table>
      <Downloads filter={text} />
      {disks && shown.length === 0 && <p className="muted">{t(text ? "media.noMatch" : "media.empty")}</p>}
    </div>
  );
}
