// Settings whose control is made by hand, by their path; all others are made from their schema. A new one is one line here.
import type { ComponentType } from "react";
import type { Control } from "react-hook-form";
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { SchemaField } from "../../forms/schema-fields.ts";
import { AdaptersEditor } from "../network/adapters-editor.tsx";
import { SharedFoldersEditor } from "../shared-folders/shared-folders-editor.tsx";
import { BootOrderEditor } from "./boot-order-editor.tsx";
import { DisksEditor } from "./disks-editor.tsx";
import { DrivesEditor } from "./drives-editor.tsx";
import { SerialEditor } from "./serial-editor.tsx";
import type { NewDisk } from "./use-settings.ts";

export interface EditorProps {
  readonly control: Control<MachineConfig>;
  readonly field: SchemaField;
  /** Whether it can't be changed now. */
  readonly locked: boolean;
  readonly machine: MachineDetails;
  /** Disks that are made when the dialog is confirmed. */
  readonly newDisks: readonly NewDisk[];
  onNewDisks(disks: readonly NewDisk[]): void;
}

export const EDITORS: Readonly<Record<string, ComponentType<EditorProps>>> = {
  adapters: AdaptersEditor,
  "boot.order": BootOrderEditor,
  disks: DisksEditor,
  opticalDrives: DrivesEditor,
  serial: SerialEditor,
  sharedFolders: SharedFoldersEditor,
};
