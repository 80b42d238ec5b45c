// Preferences of the app. Each takes effect at once and is kept by the host, so there is nothing to confirm.
import { Button, Dialog, DialogBody, InputGroup, SegmentedControl, Switch } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { THEMES } from "../../app/preferences-format.ts";
import { useHost } from "../../app/use-host.ts";
import { Field } from "../../forms/field.tsx";
import { LANGUAGES } from "../../i18n/languages.ts";
import { platform } from "../../platform/index.ts";
import { Select } from "../../ui/select.tsx";
import { HOST_KEYS, hostKeyCode } from "../display/host-key.ts";
import "./preferences.css";

type SwitchName = "listThumbnails" | "copyOnSelect" | "screenReader" | "wizard" | "startAtLogin";

function PreferenceSwitch({ name }: { readonly name: SwitchName }) {
  const { t } = useTranslation();
  const value = usePreference(name);
  return (
    <Switch
      label={t(`preferences.${name}`)}
      checked={value}
      onChange={(event) => setPreference(name, event.currentTarget.checked)}
    />
  );
}

function Appearance() {
  const { t } = useTranslation();
  const theme = usePreference("theme");
  const language = usePreference("language");
  return (
    <section aria-label={t("preferences.appearance")}>
      <h3>{t("preferences.appearance")}</h3>
      <div className="form">
        <Field label={t("preferences.theme")}>
          {() => (
            <SegmentedControl
              size="small"
              aria-label={t("preferences.theme")}
              options={THEMES.map((value) => ({ value, label: t(`command.theme.${value}`) }))}
              value={theme}
              onValueChange={(value) => setPreference("theme", THEMES.find((known) => known === value) ?? "system")}
            />
          )}
        </Field>
        <Field label={t("preferences.language")}>
          {(control) => (
            <Select
              {...control}
              value={language}
              options={[
                { value: "system", label: t("command.theme.system") },
                ...Object.entries(LANGUAGES).map(([value, label]) => ({ value, label })),
              ]}
              onChange={(event) => setPreference("language", event.target.value)}
            />
          )}
        </Field>
        <PreferenceSwitch name="listThumbnails" />
      </div>
    </section>
  );
}

function Input() {
  const { t } = useTranslation();
  const hostKey = usePreference("hostKey");
  return (
    <section aria-label={t("preferences.input")}>
      <h3>{t("preferences.input")}</h3>
      <div className="form">
        <Field label={t("preferences.hostKey")} help={t("preferences.hostKeyHelp")}>
          {(control) => (
            <Select
              {...control}
              value={hostKeyCode(hostKey)}
              options={HOST_KEYS.map((value) => ({ value, label: t(`display.hostKeys.${value}`) }))}
              onChange={(event) => setPreference("hostKey", event.target.value)}
            />
          )}
        </Field>
        <PreferenceSwitch name="copyOnSelect" />
        <PreferenceSwitch name="screenReader" />
      </div>
    </section>
  );
}

function Folders() {
  const { t } = useTranslation();
  const host = useHost();
  const filesFolder = usePreference("filesFolder");
  return (
    <section aria-label={t("preferences.folders")}>
      <h3>{t("preferences.folders")}</h3>
      <div className="form">
        <Field label={t("preferences.filesFolder")} help={t("preferences.filesFolderHelp")}>
          {(control) => (
            <InputGroup
              {...control}
              spellCheck={false}
              value={filesFolder}
              onChange={(event) => setPreference("filesFolder", event.target.value.trim())}
            />
          )}
        </Field>
      </div>
      <p>
        {t("about.home")}: <span className="mono selectable">{host?.home}</span>
      </p>
      <p className="muted">{t("preferences.homeHelp")}</p>
    </section>
  );
}

function Updates() {
  const { t } = useTranslation();
  const host = useHost();
  return (
    <section aria-label={t("preferences.updates")}>
      <h3>{t("preferences.updates")}</h3>
      <p>{t("about.version", { version: host?.appVersion ?? t("common.unknown") })}</p>
      <p className="muted">{t("preferences.updatesHelp")}</p>
      <p className="muted">{t("preferences.privacy")}</p>
    </section>
  );
}

export default function PreferencesDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  return (
    <Dialog isOpen title={t("preferences.title")} onClose={onClose} className="preferences">
      <DialogBody>
        <Appearance />
        <Input />
        <section aria-label={t("preferences.data")}>
          <h3>{t("preferences.data")}</h3>
          <div className="form">
            <PreferenceSwitch name="wizard" />
            {platform.kind === "electron" && <PreferenceSwitch name="startAtLogin" />}
          </div>
        </section>
        <Folders />
        <Updates />
        <div className="preferences-end">
          <Button text={t("common.close")} onClick={onClose} />
        </div>
      </DialogBody>
    </Dialog>
  );
}
