// The trash: what was removed, how much each gives back, and the way back. Only here is anything deleted for good.
import { Button, Callout, Dialog, DialogBody, DialogFooter } from "@blueprintjs/core";
import { TrashIcon, UndoIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { TrashEntry } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { Age } from "../../ui/age.tsx";
import { formatBytes } from "../../ui/format.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import "./trash.css";

/** What is about to be deleted: one entry, or everything. */
type Doomed = TrashEntry | "everything";

export default function TrashDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const entries = useQuery({ queryKey: keys.trash, queryFn: () => client.trash.list(), staleTime: 0 }).data;
  const [doomed, setDoomed] = useState<Doomed | null>(null);
  const [busy, setBusy] = useState(false);
  const total = (entries ?? []).reduce((sum, entry) => sum + entry.sizeBytes, 0);

  const act = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      notifyFailure(t("failure.generic"), toFailure(error));
    } finally {
      setBusy(false);
      await queryClient.invalidateQueries({ queryKey: keys.trash });
    }
  };
  const restore = ({ name, kind, label }: TrashEntry) =>
    act(async () => {
      const machine = await client.trash.restore({ name });
      adoptMachine(machine);
      const title =
        kind === "machine"
          ? t("notices.restored", { name: machine.name })
          : t("trash.back", { name: label, machine: machine.name });
      notify({ kind: "success", title });
      await queryClient.invalidateQueries({ queryKey: keys.disks });
    });
  const destroy = (what: Doomed) =>
    act(async () => {
      setDoomed(null);
      const { freedBytes } =
        what === "everything" ? await client.trash.empty() : await client.trash.delete({ name: what.name });
      notify({ kind: "success", title: t("trash.freed", { size: formatBytes(freedBytes) }) });
    });

  return (
    <Dialog isOpen title={t("trash.title")} onClose={onClose} className="trash">
      <DialogBody>
        {entries?.length === 0 && <p className="muted">{t("trash.empty")}</p>}
        <ul className="trash-list" aria-label={t("trash.label")}>
          {entries?.map((entry) => (
            <TrashRow key={entry.name} entry={entry} busy={busy} onRestore={restore} onDelete={setDoomed} />
          ))}
        </ul>
      </DialogBody>
      {doomed && (
        <Callout intent="danger" role="alert" className="trash-question">
          <p>
            {doomed === "everything"
              ? t("trash.emptyQuestion", { count: entries?.length ?? 0, size: formatBytes(total) })
              : t("trash.deleteQuestion", { name: doomed.label, size: formatBytes(doomed.sizeBytes) })}
          </p>
          <Button autoFocus intent="danger" text={t("trash.confirm")} onClick={() => void destroy(doomed)} />
          <Button variant="minimal" text={t("common.cancel")} onClick={() => setDoomed(null)} />
        </Callout>
      )}
      <DialogFooter
        actions={
          <Button
            icon={<TrashIcon />}
            text={t("trash.emptyAction")}
            loading={busy}
            disabled={!entries?.length}
            onClick={() => setDoomed("everything")}
          />
        }
      >
        {entries !== undefined && entries.length > 0 && (
          <span className="muted number">{t("trash.frees", { size: formatBytes(total) })}</span>
        )}
      </DialogFooter>
    </Dialog>
  );
}

interface RowProps {
  readonly entry: TrashEntry;
  readonly busy: boolean;
  onRestore(entry: TrashEntry): void;
  onDelete(entry: TrashEntry): void;
}

function TrashRow({ entry, busy, onRestore, onDelete }: RowProps) {
  const { t } = useTranslation();
  const { kind, label: name, machineName: machine } = entry;
  return (
    <li className="trash-row">
      <span className="trash-text">
        <span className="trash-name">{name}</span>
        <span className="muted">
          {t(`trash.kinds.${kind}`, { machine: machine ?? "" })} <Age atMs={entry.removedAtMs} />
        </span>
      </span>
      <span className="muted number">{formatBytes(entry.sizeBytes)}</span>
      {kind !== "left-over" && (
        <Button
          variant="minimal"
          icon={<UndoIcon />}
          text={t("trash.restore")}
          aria-label={t("trash.restoreNamed", { name })}
          disabled={busy}
          onClick={() => onRestore(entry)}
        />
      )}
      <Button
        variant="minimal"
        icon={<TrashIcon />}
        aria-label={t("trash.deleteNamed", { name })}
        title={t("trash.delete")}
        disabled={busy}
        onClick={() => onDelete(entry)}
      />
    </li>
  );
}
