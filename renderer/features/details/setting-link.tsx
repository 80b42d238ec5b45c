// A value that leads to its setting.
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { openDialog } from "../../app/navigation.ts";

interface Props {
  readonly machineId: string;
  /** Path of the configuration field. */
  readonly field: string;
  readonly label: string;
  readonly children: ReactNode;
}

export function SettingLink({ machineId, field, label, children }: Props) {
  const { t } = useTranslation();
  return (
    <button
      type="button"
      className="setting-link"
      title={t("details.edit", { label })}
      onClick={() => openDialog({ kind: "settings", machineId, field })}
    >
      {children}
    </button>
  );
}
