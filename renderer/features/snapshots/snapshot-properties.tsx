// Everything about the selected snapshot; notes are edited in place.
import { TextArea } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Snapshot } from "../../../main/contract/schemas.ts";
import { useSnapshotThumbnail } from "../../api/queries.ts";
import { Row } from "../../ui/box.tsx";
import { formatBytes, formatDateTime } from "../../ui/format.ts";
import { describeSnapshot } from "./snapshot-actions.ts";

export function SnapshotProperties({ snapshot }: { readonly snapshot: Snapshot }) {
  const { t } = useTranslation();
  const thumbnail = useSnapshotThumbnail(snapshot.id, snapshot.hasThumbnail).data;
  const [notes, setNotes] = useState(snapshot.description);
  return (
    <aside className="snapshot-properties" aria-label={t("snapshots.properties")}>
      <div className="snapshot-thumbnail">
        {thumbnail ? (
          <img src={thumbnail} alt={t("snapshots.thumbnailAlt", { name: snapshot.name })} />
        ) : (
          <span>{t("details.noPreview")}</span>
        )}
      </div>
      <h2 className="selectable">{snapshot.name}</h2>
      <dl>
        <Row label={t("snapshots.taken")}>{formatDateTime(snapshot.takenAtMs)}</Row>
        <Row label={t("snapshots.memory")}>{t(snapshot.withMemory ? "snapshots.memoryYes" : "snapshots.memoryNo")}</Row>
        <Row label={t("snapshots.ownBytes")}>
          <span className="number">{formatBytes(snapshot.ownBytes)}</span>
        </Row>
        {snapshot.kind !== "user" && <Row label={t("snapshots.kind")}>{t(`snapshots.kinds.${snapshot.kind}`)}</Row>}
        {snapshot.pauseMs !== null && (
          <Row label={t("snapshots.pauseMs")}>
            <span className="number">{t("snapshots.pauseMsValue", { value: Math.round(snapshot.pauseMs) })}</span>
          </Row>
        )}
      </dl>
      <TextArea
        fill
        rows={5}
        aria-label={t("snapshots.notes")}
        placeholder={t("snapshots.notesPlaceholder")}
        value={notes}
        onChange={(event) => setNotes(event.target.value)}
        onBlur={() => notes !== snapshot.description && void describeSnapshot(snapshot.id, notes)}
      />
    </aside>
  );
}
