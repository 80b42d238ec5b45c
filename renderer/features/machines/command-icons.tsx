// One icon per command, the same wherever the command appears.
import {
  CameraIcon,
  CogIcon,
  DesktopIcon,
  DuplicateIcon,
  EditIcon,
  ExportIcon,
  FloppyDiskIcon,
  GitBranchIcon,
  ListIcon,
  LockIcon,
  OfflineIcon,
  PauseIcon,
  PlayIcon,
  PowerIcon,
  RefreshIcon,
  TrashIcon,
  UndoIcon,
} from "@blueprintjs/icons";
import type { ReactElement } from "react";
import type { MachineCommand } from "./rules.ts";

export const COMMAND_ICONS: Record<MachineCommand, ReactElement> = {
  start: <PlayIcon />,
  bootMenu: <ListIcon />,
  resume: <PlayIcon />,
  show: <DesktopIcon />,
  pause: <PauseIcon />,
  reset: <RefreshIcon />,
  acpi: <PowerIcon />,
  save: <FloppyDiskIcon />,
  powerOff: <OfflineIcon />,
  discard: <UndoIcon />,
  takeSnapshot: <CameraIcon />,
  settings: <CogIcon />,
  rename: <EditIcon />,
  fork: <GitBranchIcon />,
  clone: <DuplicateIcon />,
  export: <ExportIcon />,
  encryption: <LockIcon />,
  remove: <TrashIcon />,
};
