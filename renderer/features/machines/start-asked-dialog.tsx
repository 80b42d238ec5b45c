// A link wants a machine to start. Anybody can write a link, so the user has the last word.
import { Button, Dialog, DialogBody, DialogFooter } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import { useMachineSummary, useMachines } from "../../api/queries.ts";
import { startOrShow } from "./run-command.ts";

interface Props {
  readonly machineId: string;
  onClose(): void;
}

export default function StartAskedDialog({ machineId, onClose }: Props) {
  const { t } = useTranslation();
  const loaded = useMachines().data !== undefined;
  const machine = useMachineSummary(machineId);
  if (!loaded) return null;
  const start = () => {
    // Closed first: starting may ask for the passphrase.
    onClose();
    if (machine) startOrShow(machine);
  };
  return (
    <Dialog isOpen title={machine ? t("startAsked.title", { name: machine.name }) : t("app.name")} onClose={onClose}>
      <DialogBody>
        <p>{t(machine ? "startAsked.body" : "window.gone")}</p>
      </DialogBody>
      <DialogFooter
        actions={
          <>
            <Button text={t(machine ? "common.cancel" : "common.close")} onClick={onClose} />
            {machine && <Button intent="primary" autoFocus text={t("command.start")} onClick={start} />}
          </>
        }
      />
    </Dialog>
  );
}
