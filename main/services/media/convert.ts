// Makes a qcow2 image of a disk image in any format that is known, as a task.
import { existsSync } from "node:fs";
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { moveToNewName, syncFolder } from "../../store/atomic-file.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { inScratch } from "../../store/scratch.ts";
import type { ServiceContext } from "../context.ts";
import { explained } from "../failures.ts";

/**
 * Both paths absolute. The image gets its name when it is complete, so that half of one is never taken for a disk, not even when this
 * process is killed. @throws AppError; nothing is left behind then
 */
export async function convertImage(context: ServiceContext, source: string, target: string): Promise<{ file: string }> {
  const { images, tasks } = context;
  for (const [field, file] of Object.entries({ source, target })) {
    if (path.isAbsolute(file)) continue;
    throw new AppError("INVALID_ARGUMENT", `The path has to be absolute: ${file}`, { file, field });
  }
  if (existsSync(target)) {
    throw new AppError("ALREADY_EXISTS", `There is a file of that name: ${target}`, {
      ...{ file: target, field: "target", consequence: "Nothing was changed." },
      remedy: "Choose another name.",
    });
  }
  try {
    const foreign = await images.foreignFormat(source);
    const format = foreign === null ? (await images.inspect(source)).format : null;
    const title = `Converting ${path.basename(source)}`;
    await tasks.run({ title, machineId: null, cancellable: true }, (options) =>
      inScratch(path.dirname(target), async (scratch) => {
        const made = path.join(scratch, path.basename(target));
        if (format === null) await images.convert(source, made, options);
        else await images.flatten({ file: source, format }, made, options);
        await withIoFailures(target, {}, () => moveToNewName(made, target));
        await syncFolder(path.dirname(target));
      }),
    );
  } catch (error) {
    const field = isAppError(error) && error.details.file === target ? "target" : "source";
    throw explained(error, { field, consequence: "No image was made." });
  }
  return { file: target };
}
