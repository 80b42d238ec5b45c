// Files to browse and to save to this computer: those of the guest as they were in a snapshot, which can be handed to the running guest on
// a disc, too, and those of folders that the machine shares. Snapshots are read from the disk's layers, so the guest need not run and need
// not help.
import { Button, NonIdealState, Spinner } from "@blueprintjs/core";
import { ImportIcon } from "@blueprintjs/icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, SnapshotFolder } from "../../../main/contract/schemas.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useMachine, useSnapshots } from "../../api/queries.ts";
import { formatDateTime } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { downloadSnapshotFile, handToGuest } from "../snapshots/snapshot-actions.ts";
import { FileTable } from "./file-table.tsx";
import { SharedFolderFiles } from "./shared-folder-files.tsx";
import "./files.css";

type Place = SnapshotFolder["places"][number];

const placeKey = ({ diskId, partition }: Pick<Place, "diskId" | "partition">): string => `${diskId}/${partition}`;

interface BrowserProps {
  readonly snapshotId: string;
}

function SnapshotFiles({ snapshotId }: BrowserProps) {
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
    <FileTable
      folder={folder}
      entries={data.entries}
      isFetching={isFetching}
      place={
        <Select
          aria-label={t("snapshotFiles.fileSystem")}
          value={placeKey({ diskId, partition })}
          options={data.places.map((each) => ({ value: placeKey(each), label: name(each) }))}
          onChange={(event) => {
            setPlace(data.places.find((each) => placeKey(each) === event.target.value) ?? null);
            setFolder("/");
          }}
        />
      }
      onFolder={setFolder}
      onSave={({ path }) => void downloadSnapshotFile(snapshotId, diskId, partition, path)}
      renderCommands={(entry) => (
        <Button
          variant="minimal"
          size="small"
          icon={<ImportIcon />}
          aria-label={t("snapshotFiles.hand", { name: entry.name })}
          title={t("snapshotFiles.handHint")}
          onClick={() => void handToGuest({ ...here, path: entry.path })}
        />
      )}
    />
  );
}

/** A snapshot or a shared folder to look into. */
interface Source {
  readonly key: string;
  readonly label: string;
  readonly snapshotId?: string;
  readonly sharedFolder?: string;
}

function useSources(machine: MachineSummary): readonly Source[] {
  const { t } = useTranslation();
  const snapshots = useSnapshots(machine.id).data?.snapshots ?? [];
  const folders = useMachine(machine.id).data?.config.sharedFolders ?? [];
  return [
    ...snapshots
      .toSorted((a, b) => b.takenAtMs - a.takenAtMs)
      .map(({ id, name, takenAtMs }) => ({
        key: `snapshot ${id}`,
        label: `${name} · ${formatDateTime(takenAtMs)}`,
        snapshotId: id,
      })),
    ...folders.map(({ name }) => ({
      key: `folder ${name}`,
      label: t("sharedFolders.source", { name }),
      sharedFolder: name,
    })),
  ];
}

export default function FilesPane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const sources = useSources(machine);
  const [chosen, setChosen] = useState<string | null>(null);
  const source = sources.find(({ key }) => key === chosen) ?? sources[0];
  if (!source) {
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
  const { key, snapshotId, sharedFolder } = source;
  return (
    <>
      <div className="pane-bar">
        <Select
          aria-label={t("snapshotFiles.source")}
          value={key}
          options={sources.map(({ key: value, label }) => ({ value, label }))}
          onChange={(event) => setChosen(event.target.value)}
        />
        <span className="muted">{t(snapshotId ? "snapshotFiles.asItWas" : "sharedFolders.asItIs")}</span>
      </div>
      <div className="files-scroll">
        {snapshotId && <SnapshotFiles key={key} snapshotId={snapshotId} />}
        {sharedFolder && <SharedFolderFiles key={key} machineId={machine.id} name={sharedFolder} />}
      </div>
    </>
  );
}
