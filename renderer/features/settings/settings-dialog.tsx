// Settings of one machine, generated from the configuration's declaration. What may not change now says why.
import { Button, Dialog, DialogBody, DialogFooter, InputGroup } from "@blueprintjs/core";
import { SearchIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { useMachine } from "../../api/queries.ts";
import { FailureText } from "../notifications/failure-text.tsx";
import { CompareSettings } from "./compare-settings.tsx";
import { SettingsForm } from "./settings-form.tsx";
import { SettingsPages } from "./settings-pages.tsx";
import { useSettings } from "./use-settings.ts";
import "./settings.css";

interface Props {
  readonly machineId: string;
  readonly focusField?: string | undefined;
  onClose(): void;
}

interface BodyProps {
  readonly machine: MachineDetails;
  readonly focusField: string | undefined;
  onClose(): void;
}

function SettingsBody({ machine, focusField, onClose }: BodyProps) {
  const { t } = useTranslation();
  const settings = useSettings(machine, focusField, onClose);
  const { form, filter, failure, invalid } = settings;
  return (
    <form noValidate onSubmit={settings.submit} className="settings-body">
      <DialogBody useOverflowScrollContainer={false}>
        <div className="settings">
          <div className="settings-nav">
            <InputGroup
              type="search"
              leftElement={<SearchIcon />}
              placeholder={t("settings.filter")}
              aria-label={t("settings.filter")}
              value={filter}
              onChange={(event) => settings.setFilter(event.target.value)}
            />
            <SettingsPages
              page={filter.trim() ? null : settings.page}
              invalidPages={settings.invalidPages}
              onSelect={settings.openPage}
            />
          </div>
          <div className="settings-content" role="tabpanel" id="settings-content" tabIndex={0}>
            {failure && (
              <div className="form-failure" role="alert">
                <FailureText failure={failure} />
              </div>
            )}
            <SettingsForm
              form={form}
              machine={machine}
              fields={settings.shownFields}
              saved={settings.saved}
              newDisks={settings.newDisks}
              onNewDisks={settings.setNewDisks}
            />
            {settings.shownFields.length === 0 && <p className="muted">{t("settings.noMatch", { filter })}</p>}
          </div>
        </div>
      </DialogBody>
      <DialogFooter
        actions={
          <>
            <Button text={t("common.cancel")} onClick={onClose} />
            <Button text={t("settings.apply")} disabled={settings.changes === 0} onClick={settings.apply} />
            <Button type="submit" intent="primary" text={t("common.ok")} loading={form.formState.isSubmitting} />
          </>
        }
      >
        <CompareSettings machineId={machine.id} />
        {settings.changes > 0 && (
          <span className="settings-changes">
            <span className="muted" role="status">
              {t("settings.changes", { count: settings.changes })}
            </span>
            <Button size="small" variant="minimal" text={t("settings.revertAll")} onClick={settings.revert} />
          </span>
        )}
        {invalid > 0 && (
          <span className="field-error" role="status">
            {t("settings.invalid", { count: invalid })}
          </span>
        )}
      </DialogFooter>
    </form>
  );
}

export default function SettingsDialog({ machineId, focusField, onClose }: Props) {
  const { t } = useTranslation();
  const { data: machine, isStale, isError } = useMachine(machineId);
  // What is edited has to be what the host has, not what was looked at some time ago; what changes later does not pull the form away.
  const [begun, setBegun] = useState(false);
  if (!begun && machine && (!isStale || isError)) setBegun(true);
  return (
    <Dialog
      isOpen
      title={t("settings.title", { name: machine?.name ?? "" })}
      onClose={onClose}
      className="settings-dialog"
      canOutsideClickClose={false}
    >
      {machine && begun && <SettingsBody machine={machine} focusField={focusField} onClose={onClose} />}
    </Dialog>
  );
}
