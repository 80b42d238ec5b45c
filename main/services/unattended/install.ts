// Prepares a new machine for an installation or a first start that asks nothing. What it needs lies in the machine's folder `unattended`:
//
//   seed.iso              a second disc with the answers, for cloud-init, Ubuntu's and Windows' installers
//   vmlinuz, initrd.img   taken from the installer's disc and started directly, because only the kernel's command line (Ubuntu) or the
//                         initial RAM disk (Debian's preseed.cfg) makes the installer go ahead without a key press
//
// Machines with a kernel there power off at the end of the installation; `finishInstallation` then makes them boot from their disk.
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { canonical } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { findInIso, type IsoExtent } from "../../../native-core/media/iso-files.ts";
import { seedDisc } from "../../../native-core/media/seed-disc.ts";
import type { UnattendedKind } from "../../contract/catalogue.ts";
import type { UnattendedAnswers } from "../../contract/unattended.ts";
import { newId } from "../ids.ts";
import type { Lifecycle } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { describeMedium } from "../media/guess.ts";
import { cpioArchive, file as cpioFile } from "./cpio.ts";
import { autoinstall, cloudInit, preseed } from "./linux-answers.ts";
import { autounattend } from "./windows-answers.ts";

const FOLDER = "unattended";
/** Where installers keep kernel and initial RAM disk, by their discs. */
const BOOT_FILES: readonly (readonly [kernel: string, initrd: string])[] = [
  ["install.amd/vmlinuz", "install.amd/initrd.gz"],
  ["linux", "initrd.gz"],
  ["casper/vmlinuz", "casper/initrd"],
];
const COMMAND_LINES = { preseed: "auto=true priority=critical", autoinstall: "autoinstall" } as const;
const COPY_BYTES = 1 << 20;

export interface UnattendedMachine {
  readonly answers: UnattendedAnswers;
  readonly kind: UnattendedKind;
  readonly iso: string | null;
  readonly firmware: MachineConfig["boot"]["firmware"];
  /** More parameters for the installer's kernel. */
  readonly commandLine: string;
}

/** How the disc, or the image of a disk without one, takes answers. @throws AppError UNSUPPORTED */
export async function unattendedKindOf(iso: string | null, hasImage: boolean): Promise<UnattendedKind> {
  const kind = iso === null ? (hasImage ? "cloud-init" : null) : (await describeMedium(iso)).unattended;
  if (kind !== null) return kind;
  throw unsupported(iso, "This disc's installer is not known to take answers");
}

function unsupported(iso: string | null, problem: string): AppError {
  return new AppError("UNSUPPORTED", `${problem}${iso === null ? "" : `: ${iso}`}`, {
    ...(iso !== null && { file: iso }),
    field: "unattended",
    consequence: "Nothing was made.",
    remedy: "Leave the answers out and install by hand, or choose a system of the catalogue that takes them.",
  });
}

/**
 * Writes what is needed into the folder that is being made, `building`; yields the settings that the machine gets, which name the files
 * in its `final` folder. @throws AppError UNSUPPORTED
 */
export async function writeUnattended(
  building: string,
  final: string,
  config: MachineConfig,
  wanted: UnattendedMachine,
): Promise<Pick<MachineConfig, "boot" | "opticalDrives">> {
  const { kind, iso, commandLine } = wanted;
  const place = path.join(building, FOLDER);
  await mkdir(place, { mode: 0o700 });
  const seed = seedOf(wanted);
  if (seed) await writeFile(path.join(place, "seed.iso"), seed, { mode: 0o600 });
  const drives = [...(iso === null ? [] : [iso]), ...(seed ? [path.join(final, FOLDER, "seed.iso")] : [])];
  const opticalDrives = drives.map((file, index) => ({ id: `cd${index}`, file }));
  if (iso === null || (kind !== "preseed" && kind !== "autoinstall")) return { boot: config.boot, opticalDrives };
  if (wanted.firmware === "uefi") throw unsupported(iso, "An unattended installation of this system needs a BIOS");
  const overlay =
    kind === "preseed" ? cpioArchive([cpioFile("preseed.cfg", Buffer.from(preseed(wanted.answers)))]) : null;
  await extractBootFiles(iso, place, overlay);
  const boot = {
    ...config.boot,
    kernel: path.join(final, FOLDER, "vmlinuz"),
    initrd: path.join(final, FOLDER, "initrd.img"),
    commandLine: [COMMAND_LINES[kind], commandLine].filter(Boolean).join(" "),
  };
  return { boot, opticalDrives };
}

function seedOf({ answers, kind, firmware }: UnattendedMachine): Uint8Array | null {
  if (kind === "preseed") return null;
  if (kind === "autounattend")
    return discOf("UNATTEND", new Map([["autounattend.xml", autounattend(answers, firmware)]]));
  const instanceId = `terrarium-${newId()}`;
  // The label is what cloud-init's NoCloud looks for.
  return discOf("cidata", kind === "cloud-init" ? cloudInit(answers, instanceId) : autoinstall(answers, instanceId));
}

function discOf(label: string, files: ReadonlyMap<string, string>): Uint8Array {
  return seedDisc(label, new Map([...files].map(([name, text]) => [name, Buffer.from(text)])));
}

async function extractBootFiles(iso: string, place: string, overlay: Uint8Array | null): Promise<void> {
  const disc = await NodeImageFile.open(await canonical(iso), { readOnly: true, lock: null });
  try {
    for (const [kernelPath, initrdPath] of BOOT_FILES) {
      const kernel = await findInIso(disc, kernelPath);
      const initrd = await findInIso(disc, initrdPath);
      if (!kernel || !initrd) continue;
      await extract(disc, kernel, path.join(place, "vmlinuz"), null);
      await extract(disc, initrd, path.join(place, "initrd.img"), overlay);
      return;
    }
  } finally {
    await disc.close();
  }
  throw unsupported(iso, "The installer's kernel is not where it is expected on the disc");
}

/** An archive may follow another one in an initial RAM disk, from a multiple of four bytes on (Linux, init/initramfs.c). */
async function extract(
  disc: NodeImageFile,
  from: IsoExtent,
  target: string,
  overlay: Uint8Array | null,
): Promise<void> {
  const file = await open(target, "wx", 0o600);
  try {
    for (let done = 0; done < from.size; ) {
      const piece = new Uint8Array(Math.min(COPY_BYTES, from.size - done));
      await disc.read(from.offset + done, piece);
      await file.write(piece, 0, piece.length, done);
      done += piece.length;
    }
    if (overlay) await file.write(overlay, 0, overlay.length, Math.ceil(from.size / 4) * 4);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether the machine starts an installer of ours now. */
function isInstalling(machine: Machine): boolean {
  const { kernel } = machine.record.config.boot;
  return kernel !== null && path.dirname(kernel) === path.join(machine.paths.folder, FOLDER);
}

/** After the guest itself powered off: an installation is over. The machine goes on with the system on its disk. */
export async function finishInstallation(lifecycle: Lifecycle, machine: Machine): Promise<void> {
  if (!isInstalling(machine)) return;
  await machine.operate(async () => {
    if (machine.state !== "powered-off" || !isInstalling(machine)) return;
    await machine.update(({ config }) => ({
      config: {
        ...config,
        boot: { ...config.boot, kernel: null, initrd: null, commandLine: "" },
        opticalDrives: config.opticalDrives.slice(0, 1).map((drive) => ({ ...drive, file: null })),
      },
    }));
    // The answers hold a password, if only its hash.
    await rm(path.join(machine.paths.folder, FOLDER), { recursive: true, force: true });
    void machine.log.write("info", "The installation is finished; the machine boots from its disk now");
    await lifecycle.startNow(machine);
  });
}
