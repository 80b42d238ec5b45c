// terrarium disk add | remove | attach | delete | independent
import path from "node:path";
import { Option } from "commander";
import { AppError } from "../../../native-core/common/errors.ts";
import { PLUGGABLE_BUSES, type PluggableBus } from "../../../native-core/config/machine-config.ts";
import { changeConfig } from "../../contract/change-config.ts";
import type { DiskEntry } from "../../contract/schemas.ts";
import type { RegisterCommand } from "../command.ts";
import { time } from "../format.ts";
import { parseDisk } from "../parse.ts";
import type { Session } from "../session.ts";

export const registerDisk: RegisterCommand = (program, run) => {
  const disk = program.command("disk").description("disks of a machine; virtio, SCSI and USB disks also while it runs");

  disk
    .command("add <name> <disk>")
    .description("give a machine a disk: a size such as 8G for a new one, or an image")
    .addOption(new Option("--bus <bus>", "what it hangs on").choices(PLUGGABLE_BUSES).default("virtio"))
    .option("--usb", "as a USB disk, like --bus usb")
    .action(
      run(async (session, name: string, wanted: string, options: { bus: PluggableBus; usb?: true }) => {
        const { id, name: known } = await session.machine(name);
        const bus = options.usb ? "usb" : options.bus;
        const machine = await (await session.client()).machines.addDisk({ id, disk: parseDisk(wanted), bus });
        session.print(machine, `${known} has the disk ${machine.config.disks.at(-1)?.id} now.`);
      }),
    );

  disk
    .command("remove <name> <disk>")
    .description("take a disk out of a machine; its file stays, `disk attach` puts it back")
    .option("--force", "also when the guest keeps it")
    .action(
      run(async (session, name: string, diskId: string, options: { force?: true }) => {
        const { id, name: known } = await session.machine(name);
        const force = options.force === true;
        const { removed } = await (await session.client()).machines.removeDisk({ id, diskId, force });
        if (!removed) {
          throw new AppError("INVALID_STATE", `The guest of ${known} keeps using the disk ${diskId}`, {
            field: "diskId",
            consequence: "It was asked to let go of it; the disk goes when it does.",
            remedy: "Unmount it in the guest, or add --force, which is what pulling a cable is.",
          });
        }
        session.print({ removed }, `${known} has no disk ${diskId} any more.`);
      }),
    );

  disk
    .command("attach <name> <disk>")
    .description("put a disk back that was taken out: its id or the name of its file")
    .action(
      run(async (session, name: string, reference: string) => {
        const { id, name: known } = await session.machine(name);
        const { file } = await detachedDisk(session, id, reference);
        const machine = await (await session.client()).machines.attachDisk({ id, file });
        session.print(machine, `${known} has the disk ${machine.config.disks.at(-1)?.id} now.`);
      }),
    );

  disk
    .command("delete <name> <disk>")
    .description("delete the image of a disk that was taken out: its id or the name of its file")
    .option("--permanently", "free its space at once")
    .action(
      run(async (session, name: string, reference: string, options: { permanently?: true }) => {
        const { id } = await session.machine(name);
        const { file } = await detachedDisk(session, id, reference);
        const permanently = options.permanently === true;
        const deleted = await (await session.client()).disks.delete({ id, file, permanently });
        const { undo } = deleted;
        session.print(
          deleted,
          undo ? `Until ${time(undo.untilMs)} \`terrarium trash restore ${undo.name}\` brings it back.` : "",
        );
      }),
    );

  disk
    .command("independent <name> <disk>")
    .description("leave a disk of a machine that is off out of snapshots: going back leaves it as it is")
    .option("--off", "let it belong to snapshots again")
    .action(
      run(async (session, name: string, diskId: string, options: { off?: true }) => {
        const client = await session.client();
        const { id, name: known } = await session.machine(name);
        const details = await changeConfig(client, id, (config) => {
          if (!config.disks.some((each) => each.id === diskId)) {
            throw new AppError("NOT_FOUND", `${known} has no disk ${diskId}`, {
              ...{ field: "diskId", consequence: "Nothing was changed.", remedy: "Look at the machine's disks." },
            });
          }
          const disks = config.disks.map((each) => {
            const { independent: _, ...rest } = each;
            return each.id !== diskId ? each : options.off ? rest : { ...rest, independent: true };
          });
          return { ...config, disks };
        });
        const what = options.off ? "belongs to snapshots of" : "is left out of snapshots of";
        session.print(details, `The disk ${diskId} ${what} ${known} from now on.`);
      }),
    );
};

/** Of several with one id the one taken out last. */
async function detachedDisk(session: Session, machineId: string, reference: string): Promise<DiskEntry> {
  const entries = (await (await session.client()).disks.list()).filter(
    (entry) => entry.detached && entry.machineId === machineId,
  );
  const found =
    entries.find(({ file }) => path.basename(file) === reference) ??
    entries.findLast(({ diskId }) => diskId === reference);
  if (found) return found;
  const names = entries.map(({ file }) => path.basename(file)).join(", ");
  throw new AppError("NOT_FOUND", `No disk ${reference} was taken out of it`, {
    ...{ field: "disk", consequence: "Nothing was changed." },
    remedy: names === "" ? "Look at the machine's disks." : `Taken out: ${names}.`,
  });
}
