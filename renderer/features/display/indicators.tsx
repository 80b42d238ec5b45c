// Small lights for the machine's devices, as virtualization programs have them: what is there, what it is, and whether it works just now.
import {
  ConsoleIcon,
  DatabaseIcon,
  DesktopIcon,
  FlowBranchIcon,
  FolderSharedIcon,
  GlobeNetworkIcon,
  RecordIcon,
  VolumeUpIcon,
} from "@blueprintjs/icons";
import type { ComponentType } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useMetrics } from "../../api/metrics.ts";
import { useMachine } from "../../api/queries.ts";
import { openDialog } from "../../app/navigation.ts";
import { formatBytes } from "../../ui/format.ts";
import { isLive } from "../machines/rules.ts";
import { networkName } from "../network/adapters.ts";

interface LightProps {
  readonly icon: ComponentType<{ size: number }>;
  readonly label: string;
  readonly busy?: boolean;
  onClick?(): void;
}

function Light({ icon: Symbol, label, busy = false, onClick }: LightProps) {
  return (
    <button
      type="button"
      className="indicator"
      title={label}
      aria-label={label}
      data-busy={busy || undefined}
      onClick={onClick}
    >
      <Symbol size={14} />
    </button>
  );
}

interface Props {
  readonly machine: MachineSummary;
  readonly size: string;
}

export function Indicators({ machine, size }: Props) {
  const { t } = useTranslation();
  const details = useMachine(machine.id).data;
  const sample = useMetrics(machine.id).at(-1);
  if (!details) return null;
  const { config, disks } = details;
  const settings = (field: string) => () => openDialog({ kind: "settings", machineId: machine.id, field });
  const live = isLive(machine.state) ? sample : undefined;
  const traffic = (live?.diskReadRate ?? 0) + (live?.diskWriteRate ?? 0);
  const rates = t("details.diskValue", {
    read: formatBytes(live?.diskReadRate ?? 0),
    written: formatBytes(live?.diskWriteRate ?? 0),
  });
  const netTraffic = (live?.netReceiveRate ?? 0) + (live?.netSendRate ?? 0);
  const netRates = t("indicators.netRates", {
    received: formatBytes(live?.netReceiveRate ?? 0),
    sent: formatBytes(live?.netSendRate ?? 0),
  });
  const { opticalDrives, adapters } = config;
  const plugged = adapters.filter(({ connected }) => connected);
  const discs = opticalDrives.map(({ id, file }) => `${id}: ${file?.split(/[\\/]/).at(-1) ?? t("indicators.noDisc")}`);
  return (
    <div className="indicators" role="group" aria-label={t("indicators.label")}>
      <Light
        icon={DatabaseIcon}
        busy={traffic > 0}
        label={`${t("indicators.disks", { count: disks.length })}: ${rates}`}
        onClick={settings("disks")}
      />
      {discs.length > 0 && (
        <Light
          icon={RecordIcon}
          label={`${t("indicators.discs")}: ${discs.join(", ")}`}
          onClick={settings("opticalDrives")}
        />
      )}
      {adapters.length > 0 && (
        <Light
          icon={GlobeNetworkIcon}
          busy={netTraffic > 0}
          label={`${t("indicators.network")}: ${plugged.map(networkName).join(", ") || t("indicators.unplugged")}, ${netRates}`}
          onClick={settings("adapters")}
        />
      )}
      {config.sharedFolders.length > 0 && (
        <Light
          icon={FolderSharedIcon}
          label={`${t("settings.pages.sharedFolders")}: ${config.sharedFolders.map(({ name }) => name).join(", ")}`}
          onClick={settings("sharedFolders")}
        />
      )}
      {config.usb.controller !== "none" && (
        <Light icon={FlowBranchIcon} label={`USB: ${config.usb.controller}`} onClick={settings("usb.controller")} />
      )}
      {config.sound.adapter !== "none" && (
        <Light
          icon={VolumeUpIcon}
          label={`${t("indicators.sound")}: ${config.sound.adapter}`}
          onClick={settings("sound.adapter")}
        />
      )}
      <Light
        icon={DesktopIcon}
        label={`${t("indicators.display")}: ${size}`}
        onClick={settings("display.videoMemoryMiB")}
      />
      <Light
        icon={ConsoleIcon}
        label={t("indicators.serial", { count: config.serial.filter(({ mode }) => mode === "console").length })}
        onClick={settings("serial")}
      />
    </div>
  );
}
