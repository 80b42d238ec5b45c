// The inline questions about the present: how to call a new snapshot, whether to keep what is now before going back.
import { InputGroup, Switch, TextArea } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, Snapshot } from "../../../main/contract/schemas.ts";
import { Field } from "../../forms/field.tsx";
import { isLive } from "../machines/rules.ts";
import { InlinePanel } from "./inline-panel.tsx";
import { restoreSnapshot, takeSnapshot } from "./snapshot-actions.ts";

interface TakeProps {
  readonly machine: MachineSummary;
  readonly defaultName: string;
  onClose(): void;
}

export function TakePanel({ machine, defaultName, onClose }: TakeProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(defaultName);
  const [description, setDescription] = useState("");
  return (
    <InlinePanel
      title={t("snapshots.takeTitle", { name: machine.name })}
      confirm={t("snapshots.take")}
      onConfirm={() => takeSnapshot(machine, name, description)}
      onClose={onClose}
    >
      <div className="form">
        <Field
          label={t("snapshots.takeName")}
          help={t(isLive(machine.state) ? "snapshots.takeLiveHint" : "snapshots.takeOffHint")}
        >
          {(control) => (
            <InputGroup
              {...control}
              autoFocus
              maxLength={128}
              value={name}
              onFocus={(event) => event.target.select()}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field label={t("snapshots.takeDescription")}>
          {(control) => (
            <TextArea
              {...control}
              fill
              rows={2}
              placeholder={t("snapshots.notesPlaceholder")}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
      </div>
    </InlinePanel>
  );
}

interface SnapshotPanelProps {
  readonly machine: MachineSummary;
  readonly snapshot: Snapshot;
  /** Whether anything would be lost by going back. */
  readonly changed: boolean;
  onClose(): void;
}

export function RestorePanel({ machine, snapshot, changed, onClose }: SnapshotPanelProps) {
  const { t } = useTranslation();
  const [keep, setKeep] = useState(true);
  const [useMemory, setUseMemory] = useState(false);
  const { name, keptDisks, memoryFits, withMemory } = snapshot;
  const goesOn = withMemory && (memoryFits || useMemory);
  return (
    <InlinePanel
      title={t("snapshots.restoreTitle", { name })}
      confirm={t("snapshots.restore")}
      onConfirm={() =>
        restoreSnapshot(machine, snapshot, { keepCurrent: keep && changed, memory: useMemory ? "always" : "if-safe" })
      }
      onClose={onClose}
    >
      {changed && (
        <>
          <Switch
            autoFocus
            label={t("snapshots.keepCurrent")}
            checked={keep}
            onChange={(event) => setKeep(event.currentTarget.checked)}
          />
          <p className={`switch-help ${keep ? "muted" : "snapshot-warning"}`}>
            {keep ? t("snapshots.restoreKeepHint") : t("snapshots.restoreLoseHint", { name })}
          </p>
        </>
      )}
      {keptDisks.length > 0 && <p className="muted">{t("snapshots.keptDisks", { disks: keptDisks.join(", ") })}</p>}
      {!memoryFits && (
        <>
          <Switch
            label={t("snapshots.useMemory")}
            checked={useMemory}
            onChange={(event) => setUseMemory(event.currentTarget.checked)}
          />
          <p className={`switch-help ${useMemory ? "snapshot-warning" : "muted"}`}>
            {t(useMemory ? "snapshots.memoryWarning" : "snapshots.memoryLeft")}
          </p>
        </>
      )}
      <p className="muted">{t(goesOn ? "snapshots.restoreRunning" : "snapshots.restoreOff")}</p>
    </InlinePanel>
  );
}
