// One optical drive in the storage box: what is in it, and buttons that work in every state but while the machine is saved.
import { Button, ButtonGroup } from "@blueprintjs/core";
import { EjectIcon, FolderOpenIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { FilePicker } from "../../forms/file-picker.tsx";
import { Row } from "../../ui/box.tsx";
import { changeDisc, type Drive } from "./change-disc.ts";

function folderOf(file: string | null): string | null {
  return file?.replace(/[\\/][^\\/]*$/, "") || null;
}

export function DiscRow({ machine, drive }: { readonly machine: MachineDetails; readonly drive: Drive }) {
  const { t } = useTranslation();
  const [picking, setPicking] = useState(false);
  const saved = machine.state === "saved";
  return (
    <Row label={drive.id}>
      <span className="disc-row">
        <span className={drive.file === null ? "muted" : "selectable"} title={drive.file ?? undefined}>
          {drive.file?.split(/[\\/]/).at(-1) ?? t("discs.empty")}
        </span>
        <ButtonGroup variant="minimal" size="small">
          <Button
            icon={<FolderOpenIcon />}
            aria-label={t("discs.insertInto", { drive: drive.id })}
            title={saved ? t("discs.saved") : t("discs.insert")}
            disabled={saved}
            onClick={() => setPicking(true)}
          />
          <Button
            icon={<EjectIcon />}
            aria-label={t("discs.ejectFrom", { drive: drive.id })}
            title={saved ? t("discs.saved") : t("discs.eject")}
            disabled={saved || drive.file === null}
            onClick={() => void changeDisc(machine.id, drive.id, null)}
          />
        </ButtonGroup>
      </span>
      {picking && (
        <FilePicker
          folder={folderOf(drive.file)}
          onClose={() => setPicking(false)}
          onChoose={(file) => {
            setPicking(false);
            void changeDisc(machine.id, drive.id, file);
          }}
        />
      )}
    </Row>
  );
}
