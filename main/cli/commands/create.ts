// terrarium create NAME --starter | --iso FILE | --network-boot [FILE] | --kernel FILE | --disk FILE ...
import path from "node:path";
import { Option } from "commander";
import { AppError } from "../../../native-core/common/errors.ts";
import { DISK_BUSES, type MachineConfig } from "../../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS } from "../../../native-core/config/network-settings.ts";
import type { RegisterCommand } from "../command.ts";
import { parseCount, parseDisk, parseMiB } from "../parse.ts";
import type { Session } from "../session.ts";
import { withProgress } from "../task-progress.ts";
import { answersOf } from "../unattended-answers.ts";

interface Options {
  readonly starter?: true;
  readonly iso?: string;
  readonly uefi?: true;
  readonly networkBoot?: string | true;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly cmdline?: string;
  readonly disk?: string[];
  readonly memory?: string;
  readonly cpus?: string;
  readonly chipset?: MachineConfig["chipset"];
  readonly diskBus?: (typeof DISK_BUSES)[number];
  readonly adapter?: (typeof ADAPTER_MODELS)[number];
  readonly description?: string;
  readonly release?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly fullName?: string;
  readonly hostName?: string;
  readonly locale?: string;
  readonly timeZone?: string;
  readonly keyboard?: string;
  readonly mirror?: string;
}

export const registerCreate: RegisterCommand = (program, run) => {
  program
    .command("create <name>")
    .description("make a machine")
    .option("--starter", "Starter Linux with its own disk")
    .option("--iso <file>", "boot from this disc; settings that are not given are guessed from it")
    .option("--uefi", "start through UEFI instead of a BIOS")
    .option(
      "--network-boot [file]",
      "boot from the network what is on no disk: this file, offered with its folder, or what others offer",
    )
    .option("--kernel <file>", "Linux kernel (bzImage)")
    .option("--initrd <file>", "initial RAM disk")
    .option("--cmdline <text>", "parameters for the kernel")
    .option(
      "--disk <file|size>",
      "existing image, or the size of a new one such as 4G; may be given several times",
      append,
    )
    .option("--release <id>", "a system of the catalogue, downloaded first: see `catalogue list`")
    .option("--user <name>", "install or set up without asking, with this user; asks for --password-file")
    .option("--password-file <file>", "the user's password is its first line; - reads it from standard input")
    .option("--full-name <text>", "of the user")
    .option("--host-name <name>", "default: made of the machine's name")
    .option("--locale <locale>", "such as de_DE; default: this computer's")
    .option("--time-zone <zone>", "such as Europe/Berlin; default: this computer's")
    .option("--keyboard <layout>", "such as us or de; default: us")
    .option("--mirror <url>", "where Debian's installer gets packages from")
    .option("--memory <size>", "RAM, such as 256M")
    .option("--cpus <count>", "processors, 1 to 8")
    .addOption(new Option("--chipset <board>", "default: i440fx").choices(["i440fx", "q35"]))
    .addOption(new Option("--disk-bus <bus>", "what its disks hang on; default: virtio").choices(DISK_BUSES))
    .addOption(new Option("--adapter <model>", "its network adapter; default: virtio").choices(ADAPTER_MODELS))
    .option("--description <text>", "notes")
    .action(
      run(async (session, name: string, options: Options) => {
        refuseContradiction(options);
        const client = await session.client();
        const memoryMiB = options.memory === undefined ? undefined : parseMiB(options.memory, "memoryMiB");
        const cpuCount = options.cpus === undefined ? undefined : parseCount(options.cpus, "cpuCount");
        const hardware = { ...(memoryMiB !== undefined && { memoryMiB }), ...(cpuCount !== undefined && { cpuCount }) };
        const machine = options.starter
          ? await client.machines.createStarter({
              name,
              ...hardware,
              ...(options.description !== undefined && { description: options.description }),
            })
          : await createCustom(session, await requestOf(session, name, options, hardware));
        session.print(machine, `${machine.name} (${machine.id})`);
      }),
    );
};

interface Hardware {
  readonly memoryMiB?: number;
  readonly cpuCount?: number;
}

/** A disk of another product is converted first. */
function createCustom(session: Session, request: Awaited<ReturnType<typeof requestOf>>) {
  return withProgress(session, "Converting ", (client) => client.machines.create(request));
}

async function requestOf(session: Session, name: string, options: Options, hardware: Hardware) {
  const client = await session.client();
  const { kernel, initrd, cmdline, description = "", disk, release: releaseId } = options;
  requireBootable(options);
  const release = releaseId === undefined ? null : await releaseOf(session, releaseId);
  const disc = options.iso ?? (release?.kind === "disc" ? release.file : undefined);
  const iso = disc === undefined ? null : path.resolve(disc);
  const guess = iso === null ? undefined : await client.media.describe({ file: iso });
  // An installer needs somewhere to install to.
  const guessedDisks = guess && guess.diskMiB > 0 ? [{ sizeMiB: guess.diskMiB }] : [];
  const image = release?.kind === "disk" ? [{ copyOf: release.file, sizeMiB: release.diskMiB }] : [];
  return {
    name,
    kernel: kernel === undefined ? null : path.resolve(kernel),
    initrd: initrd === undefined ? null : path.resolve(initrd),
    commandLine: cmdline ?? "",
    description,
    disks: [...image, ...(disk?.map((text) => parseDisk(text)) ?? guessedDisks)],
    iso,
    ...(guess && {
      osType: guess.osType,
      memoryMiB: guess.memoryMiB,
      cpuCount: guess.cpuCount,
      firmware: guess.firmware,
    }),
    ...(release && { memoryMiB: release.memoryMiB }),
    ...(options.networkBoot !== undefined && {
      networkBoot: options.networkBoot === true ? "" : path.resolve(options.networkBoot),
    }),
    ...(options.uefi && { firmware: "uefi" as const }),
    ...(options.chipset && { chipset: options.chipset }),
    ...(options.diskBus && { diskBus: options.diskBus }),
    ...(options.adapter && { adapterModel: options.adapter }),
    ...hardware,
    unattended: await answersOf(name, options),
  };
}

async function releaseOf(session: Session, releaseId: string) {
  const client = await session.client();
  const { file } = await withProgress(session, "Downloading ", () => client.catalogue.download({ releaseId }));
  const releases = (await client.catalogue.list()).flatMap((system) => system.releases);
  const found = releases.find(({ id }) => id === releaseId);
  return found ? { ...found, file } : null;
}

/** Starter Linux brings what it boots from: an option that would be ignored is refused. */
function refuseContradiction(options: Options): void {
  if (!options.starter) return;
  const field = (
    [
      ...(["iso", "uefi", "networkBoot", "kernel", "initrd", "cmdline", "disk", "release", "user"] as const),
      ...(["chipset", "diskBus", "adapter"] as const),
    ] as const
  ).find((each) => options[each] !== undefined);
  if (field === undefined) return;
  const option = field.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`);
  throw new AppError("INVALID_ARGUMENT", `--starter and --${option} exclude each other`, {
    field,
    consequence: "Nothing was made.",
    remedy: "Leave one of them out.",
  });
}

function append(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function requireBootable(options: Options): void {
  const { iso, kernel, initrd, cmdline, disk, release, user, networkBoot } = options;
  const refuse = (message: string, field: string, remedy: string): never => {
    throw new AppError("INVALID_ARGUMENT", message, { field, consequence: "Nothing was made.", remedy });
  };
  if (iso !== undefined && release !== undefined) {
    refuse("--iso and --release exclude each other", "release", "Leave one of them out.");
  }
  // An installer that asks nothing is started with a kernel of its disc.
  if (kernel === undefined && (initrd !== undefined || (cmdline !== undefined && user === undefined))) {
    refuse("--initrd and --cmdline belong to a kernel", "kernel", "Give --kernel FILE as well.");
  }
  if ([iso, kernel, disk, release, networkBoot].some((each) => each !== undefined)) return;
  refuse(
    "Say what to boot",
    "kernel",
    "Use --starter for Starter Linux, --iso FILE for a disc, --release ID to download one, --disk FILE for an installed disk, --network-boot, or --kernel FILE.",
  );
}
