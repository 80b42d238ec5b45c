// What differs between a snapshot and another one or now: settings, and files inside of the guest's disks; removed and changed files can be
// taken out of the snapshot.
import { Dialog, DialogBody, HTMLSelect, InputGroup, NonIdealState, Spinner } from "@blueprintjs/core";
import { SearchIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type {
  DiskDiff,
  FileChange,
  PartitionDiff,
  Snapshot,
  SnapshotDiff,
  SnapshotTree,
} from "../../../main/contract/schemas.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { settingLabel } from "../../forms/schema-fields.ts";
import { useSettingText } from "../../forms/setting-text.ts";
import { DiffRows } from "./diff-rows.tsx";
import { diffTree } from "./diff-tree.ts";
import { downloadSnapshotFile } from "./snapshot-actions.ts";
import "./diff.css";

interface Props {
  readonly snapshot: Snapshot;
  readonly tree: SnapshotTree;
  onClose(): void;
}

/** Changes in the tree, whose folders are closed where there are many; the filter finds the others. */
const SHOWN_MAX = 5000;

export default function DiffDialog({ snapshot, tree, onClose }: Props) {
  const { t } = useTranslation();
  const [toId, setToId] = useState<string | null>(null);
  const [filter, setFilter] = useState("");
  const { data, error } = useQuery({
    queryKey: keys.snapshotDiff(snapshot.id, toId),
    queryFn: () => client.snapshots.diff({ snapshotId: snapshot.id, toSnapshotId: toId }),
    staleTime: 0,
    retry: false,
  });
  const others = tree.snapshots.filter((other) => other.id !== snapshot.id);
  return (
    <Dialog isOpen title={t("snapshots.diffTitle", { name: snapshot.name })} onClose={onClose} className="diff">
      <DialogBody>
        <div className="diff-bar">
          <HTMLSelect
            aria-label={t("snapshots.diffWith")}
            value={toId ?? ""}
            options={[
              { value: "", label: t("snapshots.current") },
              ...others.map((other) => ({ value: other.id, label: other.name })),
            ]}
            onChange={(event) => setToId(event.target.value || null)}
          />
          <InputGroup
            type="search"
            leftIcon={<SearchIcon />}
            placeholder={t("snapshots.diffFilter")}
            aria-label={t("snapshots.diffFilter")}
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
        </div>
        {error && <NonIdealState icon="error" title={failureSentence(toFailure(error))} />}
        {!data && !error && <Spinner size={24} />}
        {data && (
          <>
            {data.settings.length > 0 && (
              <SettingChanges
                settings={data.settings}
                before={snapshot.name}
                after={others.find(({ id }) => id === toId)?.name ?? t("snapshots.current")}
              />
            )}
            {data.disks.map((disk) => (
              <DiskChanges key={disk.diskId} disk={disk} filter={filter} snapshotId={snapshot.id} />
            ))}
          </>
        )}
      </DialogBody>
    </Dialog>
  );
}

interface SettingProps {
  readonly settings: SnapshotDiff["settings"];
  /** What the columns are called. */
  readonly before: string;
  readonly after: string;
}

function SettingChanges({ settings, before, after }: SettingProps) {
  const { t } = useTranslation();
  const text = useSettingText();
  return (
    <table className="diff-settings" aria-label={t("snapshots.diffSettings")}>
      <thead>
        <tr>
          <th scope="col">{t("snapshots.diffSetting")}</th>
          <th scope="col">{before}</th>
          <th scope="col">{after}</th>
        </tr>
      </thead>
      <tbody>
        {settings.map((setting) => (
          <tr key={setting.path}>
            <th scope="row">{settingLabel(setting.path)}</th>
            <td>{text(setting.path, setting.before)}</td>
            <td>{text(setting.path, setting.after)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface DiskProps {
  readonly disk: DiskDiff;
  readonly filter: string;
  readonly snapshotId: string;
}

function DiskChanges({ disk, filter, snapshotId }: DiskProps) {
  const { t } = useTranslation();
  return (
    <section aria-label={disk.diskId}>
      <h3>
        {disk.diskId} <span className="muted">{t(`snapshots.diskChange.${disk.change}`)}</span>
      </h3>
      {disk.partitions.map((partition) => (
        <PartitionChanges
          key={partition.number}
          partition={partition}
          filter={filter}
          onTake={(change) => void downloadSnapshotFile(snapshotId, disk.diskId, partition.number, change.path)}
        />
      ))}
    </section>
  );
}

interface PartitionProps {
  readonly partition: PartitionDiff;
  readonly filter: string;
  onTake(change: FileChange): void;
}

function PartitionChanges({ partition, filter, onTake }: PartitionProps) {
  const { t } = useTranslation();
  const { number, fileSystem, label, problem, total } = partition;
  const found = partition.changes.filter((change) => change.path.toLowerCase().includes(filter.trim().toLowerCase()));
  const name = number === 0 ? fileSystem : t("snapshots.partition", { number, fileSystem });
  return (
    <>
      <h4 className="muted">
        {name} {label} {problem ?? t("snapshots.filesChanged", { count: total })}
      </h4>
      <DiffRows
        key={filter.trim()}
        nodes={diffTree(found.slice(0, SHOWN_MAX))}
        total={Math.min(SHOWN_MAX, found.length)}
        onTake={onTake}
      />
      {found.length > SHOWN_MAX && (
        <p className="muted">{t("snapshots.diffMore", { count: found.length - SHOWN_MAX })}</p>
      )}
    </>
  );
}
