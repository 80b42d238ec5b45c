// One box per settings page. Labels come from the configuration's own declaration.
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { useChoiceLabel } from "../../forms/choice-label.ts";
import { settingLabel } from "../../forms/schema-fields.ts";
import { Box, Row } from "../../ui/box.tsx";
import { formatMiB } from "../../ui/format.ts";
import { StateBadge } from "../../ui/state-badge.tsx";
import { NetworkBox } from "../network/network-box.tsx";
import { SharedFoldersBox } from "../shared-folders/shared-folders-box.tsx";
import { Notes } from "./notes.tsx";
import { SettingLink } from "./setting-link.tsx";
import { StorageBox } from "./storage-box.tsx";

interface LinkRowProps {
  readonly machine: MachineDetails;
  readonly field: string;
  readonly value: string;
  readonly mono?: boolean;
}

function LinkRow({ machine, field, value, mono = false }: LinkRowProps) {
  const { t } = useTranslation();
  const label = settingLabel(field);
  return (
    <Row label={label}>
      <SettingLink machineId={machine.id} field={field} label={label}>
        {mono ? <span className="mono">{value}</span> : value || t("common.none")}
      </SettingLink>
    </Row>
  );
}

function fileName(path: string): string {
  return path.startsWith("starter:") ? path : (path.split(/[\\/]/).at(-1) ?? path);
}

export function ConfigBoxes({ machine }: { readonly machine: MachineDetails }) {
  const { t } = useTranslation();
  const choiceLabel = useChoiceLabel();
  const { config } = machine;
  const box = (name: "general" | "system" | "boot" | "display" | "audio" | "serial" | "usb" | "description") => ({
    name,
    title: t(`details.boxes.${name}`),
  });
  return (
    <>
      <Box {...box("general")}>
        <dl>
          <LinkRow machine={machine} field="name" value={config.name} />
          <LinkRow machine={machine} field="osType" value={choiceLabel(config.osType)} />
          <Row label={t("details.state")}>
            <StateBadge state={machine.state} />
          </Row>
          <Row label={t("details.folder")}>
            <span className="selectable mono">{machine.folder}</span>
          </Row>
        </dl>
      </Box>
      <Box {...box("system")}>
        <dl>
          <LinkRow machine={machine} field="memoryMiB" value={formatMiB(config.memoryMiB)} />
          <LinkRow machine={machine} field="cpuCount" value={String(config.cpuCount)} />
          <LinkRow machine={machine} field="cpuModel" value={choiceLabel(config.cpuModel)} />
          <LinkRow machine={machine} field="engine" value={choiceLabel(config.engine)} />
          <LinkRow machine={machine} field="input.keyboard" value={choiceLabel(config.input.keyboard)} />
        </dl>
      </Box>
      <Box {...box("boot")}>
        <dl>
          <LinkRow
            machine={machine}
            field="boot.kernel"
            value={config.boot.kernel ? fileName(config.boot.kernel) : t("common.none")}
          />
          <LinkRow
            machine={machine}
            field="boot.initrd"
            value={config.boot.initrd ? fileName(config.boot.initrd) : t("common.none")}
          />
          <LinkRow machine={machine} field="boot.commandLine" value={config.boot.commandLine} mono />
        </dl>
      </Box>
      <Box {...box("display")}>
        <dl>
          <LinkRow machine={machine} field="display.videoMemoryMiB" value={formatMiB(config.display.videoMemoryMiB)} />
        </dl>
      </Box>
      <StorageBox machine={machine} />
      <Box {...box("audio")}>
        <dl>
          <LinkRow machine={machine} field="sound.adapter" value={choiceLabel(config.sound.adapter)} />
        </dl>
      </Box>
      <NetworkBox machine={machine} />
      <Box {...box("serial")}>
        <dl>
          {config.serial.map((port, index) => {
            const label = t(`console.ports.${index as 0 | 1}`);
            const mode = t(port.mode === "console" ? "details.serialConsole" : "details.serialNone");
            return (
              <Row key={label} label={label}>
                <SettingLink machineId={machine.id} field="serial" label={label}>
                  {port.log ? `${mode}, ${t("details.logged")}` : mode}
                </SettingLink>
              </Row>
            );
          })}
        </dl>
      </Box>
      <Box {...box("usb")}>
        <dl>
          <LinkRow machine={machine} field="usb.controller" value={choiceLabel(config.usb.controller)} />
        </dl>
      </Box>
      <SharedFoldersBox machine={machine} />
      <Box {...box("description")}>
        {/* Made anew when it was changed elsewhere. */}
        <Notes key={config.description} machine={machine} />
      </Box>
    </>
  );
}
