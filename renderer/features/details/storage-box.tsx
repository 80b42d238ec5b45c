// Disks with what they hold: the guest's size and the bytes on the host, as a bar and as numbers.
import { Button } from "@blueprintjs/core";
import { CrossIcon, MaximizeIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { PLUGGABLE_BUSES } from "../../../native-core/config/machine-config.ts";
import { openDialog } from "../../app/navigation.ts";
import { Box, Row } from "../../ui/box.tsx";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { isLive, isOff } from "../machines/rules.ts";
import { DiscRow } from "../media/disc-row.tsx";
import { guestDevices } from "../media/guest-devices.ts";
import { removeDisk } from "../media/remove-disk.ts";
import { SettingLink } from "./setting-link.tsx";

/** Comes and goes while the machine runs. */
function isPluggable({ config }: MachineDetails, diskId: string): boolean {
  const { bus = "virtio" } = config.disks.find(({ id }) => id === diskId) ?? {};
  return PLUGGABLE_BUSES.some((each) => each === bus);
}

export function StorageBox({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
  const names = guestDevices(machine.config.disks);
  return (
    <Box name="storage" title={t("details.boxes.storage")}>
      {machine.disks.length === 0 && (
        <SettingLink machineId={machine.id} field="disks" label={t("details.boxes.storage")}>
          {t("details.noDisks")}
        </SettingLink>
      )}
      <dl>
        {machine.disks.map((disk, index) => {
          const used = formatBytes(disk.usedBytes);
          const size = formatBytes(disk.sizeBytes);
          return (
            <Row key={disk.id} label={names[index] ?? disk.id}>
              <span className="disc-row">
                <SettingLink machineId={machine.id} field="disks" label={disk.id}>
                  {disk.file.split(/[\\/]/).at(-1)} ({disk.format}
                  {disk.readOnly && `, ${t("details.readOnly")}`}
                  {machine.config.disks[index]?.independent && `, ${t("details.independent")}`})
                </SettingLink>
                {isOff(machine.state) && !disk.readOnly && !machine.template && names[index] !== "UEFI" && (
                  <Button
                    {...{ variant: "minimal", size: "small", icon: <MaximizeIcon /> }}
                    aria-label={t("grow.title", { disk: disk.id, name: machine.name })}
                    title={t("grow.action")}
                    onClick={() => openDialog({ kind: "grow", machineId: machine.id, diskId: disk.id })}
                  />
                )}
                {isLive(machine.state) && isPluggable(machine, disk.id) && (
                  <Button
                    {...{ variant: "minimal", size: "small", icon: <CrossIcon /> }}
                    aria-label={t("settings.removeDisk", { disk: disk.id })}
                    title={t("disks.removeHint")}
                    onClick={() => void removeDisk(machine.id, disk.id)}
                  />
                )}
              </span>
              <div className="disk-use">
                <Meter value={disk.usedBytes / Math.max(1, disk.sizeBytes)} />
                <span className="muted number">{t("details.usedOf", { used, size })}</span>
              </div>
            </Row>
          );
        })}
        {machine.config.opticalDrives.map((drive) => (
          <DiscRow key={drive.id} machine={machine} drive={drive} />
        ))}
      </dl>
    </Box>
  );
}
