// A file that the app is to use, dropped on its window or opened from elsewhere: what it is decides which dialog proposes what to do.
import { client } from "../../api/index.ts";
import { openDialog } from "../../app/navigation.ts";
import { dropKind, imageName } from "./drop-kind.ts";

async function freeName(wanted: string): Promise<string> {
  const taken = new Set((await client.machines.list()).map(({ name }) => name.toLowerCase()));
  let name = wanted;
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${wanted} ${number}`;
  return name;
}

/** New, with the disc: the dialog looks at it itself and fills in what it finds. */
export function offerDisc(file: string): void {
  openDialog({ kind: "new-machine", start: { source: "disc", iso: file } });
}

/** New, with the image of a disk. */
export async function offerDisk(file: string): Promise<void> {
  const name = await freeName(imageName(file));
  openDialog({
    kind: "new-machine",
    start: { name, source: "disk", osType: "other", memoryMiB: 1024, diskKind: "existing", diskFile: file },
  });
}

/** Opens a dialog for it and changes nothing. */
export async function offerFile(file: string): Promise<void> {
  const kind = dropKind(file, false);
  if (kind === "machine") openDialog({ kind: "import", file });
  else if (kind === "disk") await offerDisk(file);
  else offerDisc(file);
}
