// terrarium verify NAME [--repair [--from FOLDER]]
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineProblem } from "../../contract/schemas.ts";
import type { RegisterCommand } from "../command.ts";

export const registerVerify: RegisterCommand = (program, run) => {
  program
    .command("verify <name>")
    .description("read and check the disks and memory states of a machine")
    .option("--repair", "take what is damaged from wherever the same contents still are")
    .option("--from <folder>", "with --repair: a folder with backups, beside those that machines are set to")
    .action(
      run(async (session, name: string, options: { repair?: true; from?: string }) => {
        const { id } = await session.machine(name);
        const request = {
          id,
          repair: options.repair === true,
          ...(options.from !== undefined && { backupFolder: path.resolve(options.from) }),
        };
        const found = await (await session.client()).machines.verify(request);
        requireWhole(found.problems, name);
        const skipped = found.skipped.map((file) => `Skipped, it is being written: ${file}`);
        const repaired = found.problems.map(({ message }) => `Repaired: ${message}`);
        session.print(found, [...repaired, ...skipped, `${found.checkedFiles} files and states are whole.`].join("\n"));
      }),
    );
};

/** Damage that stays is a failure for scripts, too. */
function requireWhole(problems: readonly MachineProblem[], name: string): void {
  const left = problems.filter((problem) => !problem.repaired);
  const [first] = left;
  if (!first) return;
  const isRepairing = left.length < problems.length;
  throw new AppError("CORRUPT_STORE", left.map(textOf).join(" "), {
    file: first.file,
    consequence: left.map(consequenceOf).join(" "),
    remedy: left.every(({ part }) => part === "memory")
      ? `Repair it with \`verify ${name} --repair\`${isRepairing ? "" : ", also --from a folder of backups"}; or give up the memory and keep the disks: \`snapshot drop-memory\`, \`discard\`.`
      : `Repair it with \`verify ${name} --repair\`, also --from a folder of backups; or restore a backup, and make a new one soon.`,
  });
}

function textOf({ message, remark }: MachineProblem): string {
  return remark === null ? `${message}.` : `${message}. ${remark}`;
}

function consequenceOf({ part, snapshots, present }: MachineProblem): string {
  const names = snapshots.map(({ name }) => `"${name}"`).join(", ");
  if (part === "picture") return `The list shows no picture of ${names}.`;
  const lost = [...(present ? ["what the machine has now"] : []), ...(names ? [`snapshot ${names}`] : [])].join(
    " and ",
  );
  if (lost === "") return "Nothing that is listed stands on it.";
  return part === "memory"
    ? `Without its memory goes on: ${lost}; the disks are whole.`
    : `Can't be used as it was: ${lost}.`;
}
