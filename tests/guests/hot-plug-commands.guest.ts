// A user at the command line gives a running Linux disks and takes them away: CLI, host, VM process, devices and Linux's own drivers.
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";
import { debianKernel, initramfs, kernelModules } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/test-app.ts";

const CLI = fileURLToPath(new URL("../../main/cli/terrarium.ts", import.meta.url));
const MODULES = [
  "virtio_pci",
  "virtio_blk",
  "virtio_scsi",
  "xhci-pci",
  "usb-storage",
  "sd_mod",
  "vfat",
  "nls_cp437",
  "nls_ascii",
];
const TIMEOUT_MS = 900_000;

/** Disks are told apart by their sizes. */
const SCRIPT = `
named() { for each in /sys/block/*; do [ "$(cat $each/size)" = $(($1 * 2048)) ] && echo /dev/\${each##*/}; done; }
found() { until [ -n "$(named $1)" ]; do usleep 50000; done; named $1; }
gone() { while [ -n "$(named $1)" ]; do usleep 50000; done; echo gone; }
echo GUEST-READY; while read -r line; do eval "$line"; done`;

let folder: string;
let home: string;
let commands = 0;

async function terrarium(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, "--home", home, ...args], { cwd: folder });
  return stdout;
}

/** Runs a command in the guest and yields its one line of output. */
async function inGuest(command: string): Promise<string> {
  commands += 1;
  // The sum keeps the echo of the typed text from matching.
  await terrarium("send", "linux", "--enter", `echo "<$((${commands}+1000)):$(${command})>"`);
  const answer = await terrarium("wait", "linux", "--for", `<${commands + 1000}:([^>]*)>`, "--timeout", "120");
  return new RegExp(`<${commands + 1000}:([^>]*)>`).exec(answer)?.[1] ?? "";
}

afterEach(async () => {
  await terrarium("host", "stop", "--power-off");
  await rm(folder, { recursive: true, force: true });
});

it(
  "disks are added, removed and put back while Linux runs, with what was written to them",
  async () => {
    folder = await temporaryFolder();
    home = join(folder, "home");
    const initrd = join(folder, "initrd.img");
    await writeFile(initrd, (await initramfs(SCRIPT, await kernelModules("amd64", MODULES))).bytes);
    await terrarium(
      ...["create", "linux", "--kernel", (await debianKernel("amd64")).file, "--initrd", initrd],
      ...["--cmdline", "console=ttyS0", "--memory", "256M", "--disk", "9M", "--disk-bus", "scsi"],
    );
    await terrarium("set", "linux", "usb.controller=xhci");
    await terrarium("start", "linux");
    await terrarium("wait", "linux", "--for", "GUEST-READY", "--timeout", "240");
    expect(await inGuest("found 9")).toBe("/dev/sda");
    for (const [bus, mebibytes, device] of [
      ["scsi", 11, "/dev/sdb"],
      ["usb", 13, "/dev/sdb"],
      ["virtio", 17, "/dev/vda"],
    ] as const) {
      const added = await terrarium("disk", "add", "linux", `${mebibytes}M`, "--bus", bus);
      const id = /has the disk (\S+) now/.exec(added)?.[1] ?? "";
      expect([bus, await inGuest(`found ${mebibytes}`)]).toEqual([bus, device]);
      const written = `mkdosfs ${device} >/dev/null; echo written to ${bus} | dd of=${device} bs=1M seek=5 conv=fsync 2>/dev/null`;
      expect(await inGuest(`${written}; echo kept`)).toBe("kept");
      await terrarium("disk", "remove", "linux", id);
      expect(await inGuest(`gone ${mebibytes}`)).toBe("gone");
      await terrarium("disk", "attach", "linux", id);
      const again = `found ${mebibytes} >/dev/null; dd if=$(named ${mebibytes}) bs=1M skip=5 count=1 2>/dev/null | head -n 1`;
      expect(await inGuest(again)).toBe(`written to ${bus}`);
      await terrarium("disk", "remove", "linux", id);
      expect(await inGuest(`gone ${mebibytes}`)).toBe("gone");
    }
    // One that a file system is mounted from: a USB disk may be pulled out at any time, and Linux lives on.
    await terrarium("disk", "add", "linux", "19M", "--bus", "usb");
    expect(await inGuest("mkdosfs $(found 19) >/dev/null; mount -t vfat $(named 19) /new && echo mounted")).toBe(
      "mounted",
    );
    const { config } = JSON.parse(await terrarium("--json", "show", "linux")) as {
      config: { disks: { id: string }[] };
    };
    await terrarium("disk", "remove", "linux", config.disks.at(-1)?.id ?? "");
    expect(await inGuest("gone 19")).toBe("gone");
    expect(await inGuest("cat /proc/sys/kernel/ostype")).toBe("Linux");
  },
  TIMEOUT_MS,
);
