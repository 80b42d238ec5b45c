// terrarium create NAME --starter | --kernel FILE ...
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { RegisterCommand } from "../command.ts";
import { isSize, parseMiB } from "../parse.ts";

interface Options {
  readonly starter?: true;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly cmdline?: string;
  readonly disk?: string[];
  readonly memory?: string;
  readonly description?: string;
}

export const registerCreate: RegisterCommand = (program, run) => {
  program
    .command("create <name>")
    .description("make a machine")
    .option("--starter", "Starter Linux with its own disk")
    .option("--kernel <file>", "64-bit Linux kernel (bzImage)")
    .option("--initrd <file>", "initial RAM disk")
    .option("--cmdline <text>", "parameters for the kernel")
    .option(
      "--disk <file|size>",
      "existing image, or the size of a new one such as 4G; may be given several times",
      append,
    )
    .option("--memory <size>", "RAM, such as 256M")
    .option("--description <text>", "notes")
    .action(
      run(async (session, name: string, options: Options) => {
        refuseContradiction(options);
        const client = await session.client();
        const memoryMiB = options.memory === undefined ? undefined : parseMiB(options.memory, "memoryMiB");
        const machine = options.starter
          ? await client.machines.createStarter({
              name,
              ...(memoryMiB !== undefined && { memoryMiB }),
              ...(options.description !== undefined && { description: options.description }),
            })
          : await client.machines.create({
              name,
              kernel: path.resolve(requireKernel(options.kernel)),
              initrd: options.initrd === undefined ? null : path.resolve(options.initrd),
              commandLine: options.cmdline ?? "",
              description: options.description ?? "",
              disks: (options.disk ?? []).map(diskOf),
              ...(memoryMiB !== undefined && { memoryMiB }),
            });
        session.print(machine, `${machine.name} (${machine.id})`);
      }),
    );
};

/** Starter Linux brings what it boots from: an option that would be ignored is refused. */
function refuseContradiction(options: Options): void {
  if (!options.starter) return;
  const field = (["kernel", "initrd", "cmdline", "disk"] as const).find((each) => options[each] !== undefined);
  if (field === undefined) return;
  throw new AppError("INVALID_ARGUMENT", `--starter and --${field} exclude each other`, {
    field,
    consequence: "Nothing was made.",
    remedy: "Leave one of them out.",
  });
}

function append(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function diskOf(text: string): { sizeMiB: number } | { file: string } {
  return isSize(text) ? { sizeMiB: parseMiB(text, "disk") } : { file: path.resolve(text) };
}

function requireKernel(kernel: string | undefined): string {
  if (kernel !== undefined) return kernel;
  throw new AppError("INVALID_ARGUMENT", "Say what to boot", {
    field: "kernel",
    remedy: "Use --starter for Starter Linux, or --kernel FILE.",
  });
}
