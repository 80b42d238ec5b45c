// A file dropped on the window: a disc goes into the drive of the selected machine while that runs; a disc or the image of a disk opens New
// with what was guessed of it, so that one sees what will happen; a machine in a file or a folder is imported. Other files that are dropped on the
// screen of a running machine are for its guest.
import { useEffect } from "react";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { createStore } from "../../api/store.ts";
import { openDialog, selectedMachineId } from "../../app/navigation.ts";
import { i18n } from "../../i18n/index.ts";
import { platform } from "../../platform/index.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { isLive } from "../machines/rules.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { changeDisc } from "./change-disc.ts";
import { type DroppedKind, dropKind, isForGuest } from "./drop-kind.ts";
import { offerDisc, offerDisk } from "./offer-file.ts";

/** While files are dragged over the window. */
export const filesOver = createStore(false);

async function take(file: string, kind: DroppedKind): Promise<void> {
  if (kind === "machine") return importMachine(file);
  if (kind === "disk") return offerDisk(file);
  const id = selectedMachineId();
  const selected = id === null ? null : await client.machines.get({ id }).catch(() => null);
  const drive = selected?.config.opticalDrives[0];
  if (selected && drive && isLive(selected.state)) return changeDisc(selected.id, drive.id, file);
  offerDisc(file);
}

async function importMachine(file: string): Promise<void> {
  const machine = await client.machines.import({ file });
  adoptMachine(machine);
  notify({ kind: "success", title: i18n.t("create.created", { name: machine.name }) });
}

function drop(event: DragEvent): void {
  filesOver.set(false);
  const files = [...(event.dataTransfer?.files ?? [])];
  const [file] = files;
  if (!hasFiles(event) || !file) return;
  event.preventDefault();
  const folders = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()?.isDirectory ?? false);
  const isFolder = folders[0] ?? false;
  const machineId = screenUnder(event);
  if (machineId !== undefined && !(isFolder && files.length === 1) && isForGuest(files.map(({ name }) => name))) {
    if (folders.includes(true)) notify({ kind: "info", title: i18n.t("handFiles.folder") });
    else openDialog({ kind: "hand-files", machineId, files });
    return;
  }
  const path = platform.pathOf(file);
  if (path === null) {
    notify({ kind: "info", title: i18n.t("discs.noPath"), detail: i18n.t("discs.noPathBody") });
    return;
  }
  take(path, dropKind(file.name, isFolder)).catch((error: unknown) => {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  });
}

/** The running machine whose screen is under the pointer. */
function screenUnder({ target }: DragEvent): string | undefined {
  const screen = target instanceof Element ? target.closest<HTMLElement>("[data-screen-of]") : null;
  return screen?.dataset["screenOf"];
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

function over(event: DragEvent): void {
  if (!hasFiles(event)) return;
  event.preventDefault();
  if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  filesOver.set(true);
}

/** The pointer left the window, not only a part of it. */
function leave(event: DragEvent): void {
  if (event.relatedTarget === null) filesOver.set(false);
}

/** Listens while the component is there. */
export function useFileDrop(): void {
  useEffect(() => {
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);
}
