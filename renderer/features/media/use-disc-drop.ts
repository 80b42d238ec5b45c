// A file dropped on the window: a disc goes into the drive of the selected machine while that runs, or becomes a machine of its own,
// which starts at once; so does the image of a disk.
import { useEffect } from "react";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { selectedMachineId, showPane } from "../../app/navigation.ts";
import { i18n } from "../../i18n/index.ts";
import { platform } from "../../platform/index.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { isLive } from "../machines/rules.ts";
import { runCommand } from "../machines/run-command.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { changeDisc } from "./change-disc.ts";

/** What people call disk images; everything else is taken for a disc. */
const DISK_IMAGE = /\.(qcow2|img|raw|vdi|vmdk|vhdx?)$/i;

async function take(file: string): Promise<void> {
  try {
    const isDisk = DISK_IMAGE.test(file);
    const id = selectedMachineId();
    const selected = id === null || isDisk ? null : await client.machines.get({ id }).catch(() => null);
    const drive = selected?.config.opticalDrives[0];
    if (selected && drive && isLive(selected.state)) return await changeDisc(selected.id, drive.id, file);
    const machine = isDisk ? await fromDisk(file) : await fromDisc(file);
    adoptMachine(machine);
    showPane("display");
    void runCommand("start", machine);
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}

async function freeName(wanted: string): Promise<string> {
  const taken = new Set((await client.machines.list()).map(({ name }) => name.toLowerCase()));
  let name = wanted;
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${wanted} ${number}`;
  return name;
}

async function fromDisc(iso: string) {
  const { name, osType, memoryMiB, diskMiB, firmware } = await client.media.describe({ file: iso });
  const disks = diskMiB > 0 ? [{ sizeMiB: diskMiB }] : [];
  return client.machines.create({ name: await freeName(name), iso, osType, memoryMiB, disks, firmware });
}

async function fromDisk(file: string) {
  const name = file.split(/[\\/]/).at(-1)?.replace(DISK_IMAGE, "") || "Disk";
  return client.machines.create({ name: await freeName(name), osType: "other", memoryMiB: 1024, disks: [{ file }] });
}

/** Listens while the component is there. */
export function useDiscDrop(): void {
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    const drop = (event: DragEvent) => {
      const [file] = event.dataTransfer?.files ?? [];
      if (!hasFiles(event) || !file) return;
      event.preventDefault();
      const path = platform.pathOf(file);
      if (path === null) notify({ kind: "info", title: i18n.t("discs.noPath"), detail: i18n.t("discs.noPathBody") });
      else void take(path);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("drop", drop);
    };
  }, []);
}
