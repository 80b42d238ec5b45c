// Whether everything that a machine consists of can be read: its layers with all that they stand on, and each chunk of its memory states.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import { verifyState } from "../../../native-core/host/state/verify-state.ts";
import type { VerifyProblem } from "../../contract/schemas.ts";
import { allImages } from "../../store/images.ts";
import { stateFolders } from "../../store/orphans.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { thumbnailFile } from "../snapshots/take.ts";

/** Top layers of a running machine are its process's alone; they are passed over and named. */
export async function verifyMachine(
  context: ServiceContext,
  machine: Machine,
): Promise<{ checkedFiles: number; skipped: string[]; problems: VerifyProblem[] }> {
  const { snapshots } = machine.record;
  const problems: VerifyProblem[] = [];
  const skipped: string[] = [];
  let checkedFiles = 0;
  const check = async (file: string, work: () => Promise<unknown>) => {
    checkedFiles++;
    await work().catch((error: unknown) => {
      if (!isAppError(error)) throw error;
      if (error.code === "IN_USE") skipped.push(file);
      else problems.push({ file: error.details.file ?? file, message: error.message });
    });
  };
  const layers = new Map(allImages(machine.record).map(({ file, format }) => [file, format]));
  const states = [...stateFolders(machine.paths, machine.record)];
  const options = { title: `Verifying ${machine.name}`, machineId: machine.id, cancellable: true };
  await context.tasks.run(options, async (task) => {
    const total = layers.size + states.length;
    for (const [file, format] of layers) {
      if (task.signal.aborted) throw cancelled("The verification");
      const image = path.resolve(machine.paths.folder, file);
      await check(image, () => context.images.verify(image, format));
      task.progress(checkedFiles / total);
    }
    for (const state of states) {
      if (task.signal.aborted) throw cancelled("The verification");
      await check(state, () => verifyState(state, context.keys.sealOf(machine)));
      task.progress(checkedFiles / total);
    }
  });
  for (const snapshot of snapshots.filter((each) => each.hasThumbnail)) {
    const file = thumbnailFile(machine, snapshot.id);
    await readFile(file).catch(() => problems.push({ file, message: "The picture of a snapshot is gone" }));
  }
  return { checkedFiles, skipped, problems };
}
