// The Shared Folders box of Details: each folder of the host with the name that the guest finds it by.
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { settingLabel } from "../../forms/schema-fields.ts";
import { Box, Row } from "../../ui/box.tsx";
import { SettingLink } from "../details/setting-link.tsx";

const FIELD = "sharedFolders";

export function SharedFoldersBox({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
  const { sharedFolders } = machine.config;
  return (
    <Box name={FIELD} title={t("settings.pages.sharedFolders")}>
      {sharedFolders.length === 0 && (
        <SettingLink machineId={machine.id} field={FIELD} label={settingLabel(FIELD)}>
          {t("sharedFolders.none")}
        </SettingLink>
      )}
      <dl>
        {sharedFolders.map(({ name, path, readOnly }) => (
          <Row key={name} label={name}>
            <SettingLink machineId={machine.id} field={FIELD} label={name}>
              <span className="mono">{path}</span>
            </SettingLink>
            {readOnly && <span className="muted"> {t("sharedFolders.readOnly")}</span>}
          </Row>
        ))}
      </dl>
    </Box>
  );
}
