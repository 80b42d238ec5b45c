// Unattended installations with a real kernel: Debian's, from discs made like those of Debian's and Ubuntu's installers, whose initial RAM
// disk tells what it found. The machine's way from there to its own disk is the app's.
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unattendedSchema } from "../../main/contract/unattended.ts";
import { App } from "../../main/services/app.ts";
import { createCustom } from "../../main/services/machines/creation.ts";
import { isoImage } from "../support/iso-image.ts";
import { debianKernel, initramfs, kernelModules } from "../support/linux-guest.ts";
import { waitUntil } from "../support/wait-until.ts";

const BOOT_MS = 300_000;
const FLAVOUR = "amd64";
const ANSWERS = unattendedSchema.parse({
  ...{ user: "ada", password: "geheim", hostName: "analytical", locale: "de_DE", timeZone: "Europe/Berlin" },
});

let home: string;
let app: App;

beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), "terrarium-unattended-"));
  app = await App.open({ home: path.join(home, "data") });
});

afterEach(async () => {
  await app.close("power-off");
  await rm(home, { recursive: true, force: true });
});

interface Installer {
  readonly disc: string;
  readonly label: string;
  readonly kernel: string;
  readonly initrd: string;
  /** What its PID 1 does before it powers off. */
  readonly script: string;
  readonly modules?: readonly string[];
}

/** Installs from a disc with this kernel and script, and yields what the guest printed. */
async function install({ disc, label, kernel, initrd, script, modules = [] }: Installer): Promise<string> {
  const iso = path.join(home, disc);
  const ramDisk = await initramfs(`${script}\npoweroff -f`, await kernelModules(FLAVOUR, modules));
  const files = new Map([
    [kernel, (await debianKernel(FLAVOUR)).bytes],
    [initrd, ramDisk.bytes],
  ]);
  await writeFile(iso, isoImage({ label, files }));
  const machine = await createCustom(app.context, {
    ...{ name: "vm", description: "", memoryMiB: 512, kernel: null, initrd: null, commandLine: "quiet" },
    ...{ iso, disks: [{ sizeMiB: 64 }], unattended: ANSWERS },
  });
  await app.lifecycle.start(machine);
  await waitUntil("the installer has powered off", () => machine.record.config.boot.kernel === null, BOOT_MS);
  await waitUntil("it boots from its disk", () => machine.state === "running", BOOT_MS);
  expect(machine.record.config.opticalDrives).toEqual([{ id: "cd0", file: null }]);
  return readFileSync(path.join(machine.paths.logs, "ttyS0.log"), "utf8");
}

describe("an installer that asks nothing", { timeout: 2 * BOOT_MS }, () => {
  it("has Debian's answers in its initial RAM disk", async () => {
    const printed = await install({
      disc: "debian-13.1.0-amd64-netinst.iso",
      label: "Debian 13.1.0 amd64 n",
      kernel: "INSTALL.AMD/VMLINUZ",
      initrd: "INSTALL.AMD/INITRD.GZ",
      script: "cat /proc/cmdline; grep passwd /preseed.cfg",
    });
    expect(printed).toContain("auto=true priority=critical quiet");
    expect(printed).toContain("d-i passwd/username string ada");
    expect(printed).toMatch(/passwd\/user-password-crypted password \$6\$/);
  });

  it("finds Ubuntu's answers on a disc that Linux mounts, under their names", async () => {
    const printed = await install({
      disc: "ubuntu-24.04-live-server-amd64.iso",
      label: "Ubuntu-Server 24.04 LTS amd64",
      kernel: "CASPER/VMLINUZ",
      initrd: "CASPER/INITRD",
      modules: ["isofs", "sr_mod", "ata_piix"],
      script: [
        "for n in 1 2 3 4 5 6 7 8 9; do [ -b /dev/sr1 ] && break; sleep 1; done",
        "mount -t iso9660 -o ro /dev/sr1 /new && ls /new && cat /new/user-data",
      ].join("\n"),
    });
    expect(printed).toMatch(/meta-data\s+user-data/);
    expect(printed).toContain("#cloud-config");
    expect(printed).toContain('"username": "ada"');
  });
});
