// Closing a running machine: keep its state, ask the guest to shut down, or pull the plug, then perhaps go back to the snapshot it came
// from. What was chosen last is proposed again.
import { Button, Dialog, DialogBody, DialogFooter, Radio, RadioGroup, Switch } from "@blueprintjs/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { useMachineSummary, useSnapshots } from "../../api/queries.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { isAllowed } from "../machines/rules.ts";
import { notifyFailure } from "../notifications/model.ts";
import "./machine-window.css";

const CHOICES = ["save", "acpi", "powerOff"] as const;
type Choice = (typeof CHOICES)[number];

interface Props {
  readonly machineId: string;
  onClose(): void;
}

export default function CloseDialog({ machineId, onClose }: Props) {
  const { t } = useTranslation();
  const machine = useMachineSummary(machineId);
  const tree = useSnapshots(machineId).data;
  const remembered = usePreference("closeWith");
  const [chosen, setChosen] = useState<Choice>(CHOICES.find((known) => known === remembered) ?? "save");
  const [restore, setRestore] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!machine) return null;
  const { name, currentSnapshotName, state } = machine;
  const snapshotId = tree?.currentId ?? null;

  const close = async () => {
    await client.machines.stop({ id: machineId, how: chosen === "powerOff" ? "power-off" : chosen });
    if (chosen === "powerOff" && restore && snapshotId) await client.snapshots.restore({ snapshotId, start: false });
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setPreference("closeWith", chosen);
    try {
      await close();
      onClose();
    } catch (error) {
      notifyFailure(t("failure.command", { command: t(`command.${chosen}`), name }), toFailure(error));
      setBusy(false);
    }
  };

  return (
    <Dialog isOpen title={t("close.title", { name })} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <DialogBody>
          <RadioGroup
            aria-label={t("close.title", { name })}
            selectedValue={chosen}
            onChange={(event) => setChosen(CHOICES.find((known) => known === event.currentTarget.value) ?? "save")}
          >
            {CHOICES.map((choice) => (
              <Radio key={choice} value={choice} disabled={!isAllowed(choice, state)} autoFocus={choice === chosen}>
                {t(`close.${choice}`)}
                <div className="menu-hint">{t(`command.help.${choice}`)}</div>
              </Radio>
            ))}
          </RadioGroup>
          {snapshotId !== null && currentSnapshotName !== null && (
            <Switch
              className="close-restore"
              label={t("close.restore", { snapshot: currentSnapshotName })}
              checked={restore && chosen === "powerOff"}
              disabled={chosen !== "powerOff"}
              onChange={(event) => setRestore(event.currentTarget.checked)}
            />
          )}
        </DialogBody>
        <DialogFooter
          actions={
            <>
              <Button text={t("common.cancel")} onClick={onClose} />
              <Button type="submit" intent="primary" text={t("common.ok")} loading={busy} />
            </>
          }
        />
      </form>
    </Dialog>
  );
}
