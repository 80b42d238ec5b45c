// Disks with what they hold: the guest's size and the bytes on the host, as a bar and as numbers.
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { Box, Row } from "../../ui/box.tsx";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { SettingLink } from "./setting-link.tsx";

/** virtio disks in the guest's order: vda, vdb, ... */
const guestDevice = (index: number): string => `vd${String.fromCharCode(97 + index)}`;

export function StorageBox({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
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
            <Row key={disk.id} label={guestDevice(index)}>
              <SettingLink machineId={machine.id} field="disks" label={disk.id}>
                {disk.file.split(/[\\/]/).at(-1)} ({disk.format}
                {disk.readOnly && `, ${t("details.readOnly")}`})
              </SettingLink>
              <div className="disk-use">
                <Meter value={disk.usedBytes / Math.max(1, disk.sizeBytes)} />
                <span className="muted number">{t("details.usedOf", { used, size })}</span>
              </div>
            </Row>
          );
        })}
      </dl>
    </Box>
  );
}
