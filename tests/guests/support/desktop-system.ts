// An installed Debian: systemd, an X server and a small desktop on a partitioned qcow2 disk that boots through GRUB. Made by mmdebstrap
// from the host's own package sources, once, into .cache/guests. Needs root, as mmdebstrap does to run the packages' scripts.
import { execFile } from "node:child_process";
import { cp, mkdir, open, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { grubModules, grubSectors, PARTITION_OFFSET } from "../../support/grub.ts";

const run = promisify(execFile);
const TARGET = fileURLToPath(new URL("../../../.cache/guests/desktop", import.meta.url));
const PARTITION_MIB = 2048;

const PACKAGES = [
  ...["systemd-sysv", "udev", "dbus", "kmod", "iproute2", "wget", "linux-image-amd64"],
  ...["xserver-xorg-core", "xserver-xorg-input-libinput", "xinit", "openbox", "xterm", "xfonts-base"],
];
const LEFT_OUT = ["usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt/archives"];

export const PASSWORD = "terrarium";

/** The machine's own files, by path. */
const FILES: Readonly<Record<string, string>> = {
  "etc/hostname": "desk\n",
  "etc/hosts": "127.0.0.1 localhost desk\n",
  "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
  "etc/resolv.conf": "nameserver 10.0.2.3\n",
  "etc/systemd/network/nic.network": "[Match]\nName=e*\n[Network]\nDHCP=ipv4\n",
  "etc/systemd/system/desktop.service": `[Unit]
Description=Desktop
After=systemd-user-sessions.service
[Service]
Environment=HOME=/root
WorkingDirectory=/root
ExecStart=/usr/bin/xinit /usr/bin/openbox -- :0 vt7 -nolisten tcp
StandardOutput=journal
[Install]
WantedBy=multi-user.target
`,
  "boot/grub/grub.cfg": `set timeout=1
menuentry "Debian" {
  linux /vmlinuz root=LABEL=root ro console=tty0 console=ttyS0
  initrd /initrd.img
}
`,
};

/** Path of the disk, a qcow2 image that nobody writes to: machines get a layer on top. */
export async function desktopDisk(): Promise<string> {
  const disk = join(TARGET, "disk.qcow2");
  const recipe = JSON.stringify([PACKAGES, LEFT_OUT, FILES, PARTITION_MIB, PASSWORD]);
  if ((await readFile(join(TARGET, "recipe"), "utf8").catch(() => "")) === recipe) return disk;
  const building = `${TARGET}.tmp`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true });
  const root = join(building, "root");
  await buildRoot(root);
  await buildDisk(building, root);
  await rm(root, { recursive: true });
  await writeFile(join(building, "recipe"), recipe);
  await rm(TARGET, { recursive: true, force: true });
  await rename(building, TARGET);
  return disk;
}

async function buildRoot(root: string): Promise<void> {
  const hooks = [
    `echo root:${PASSWORD} | chroot "$1" chpasswd`,
    'chroot "$1" systemctl enable systemd-networkd desktop.service serial-getty@ttyS0.service',
  ];
  const files = join(root, "../files");
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(join(files, path, ".."), { recursive: true });
    await writeFile(join(files, path), content);
  }
  await cp(await grubModules(), join(files, "boot/grub/i386-pc"), { recursive: true });
  await run(
    "mmdebstrap",
    [
      ...[
        "--quiet",
        "--variant=minbase",
        `--include=${PACKAGES.join(",")}`,
        '--aptopt=Apt::Install-Recommends "false"',
      ],
      ...[`copy-in ${files}/etc ${files}/boot /`, ...hooks].map((hook) => `--customize-hook=${hook}`),
      ...["bookworm", root],
    ],
    { maxBuffer: 1 << 26 },
  );
  for (const part of LEFT_OUT) await rm(join(root, part), { recursive: true, force: true });
}

async function buildDisk(folder: string, root: string): Promise<void> {
  const raw = join(folder, "disk.raw");
  const partitionBytes = PARTITION_MIB << 20;
  await writeFile(raw, "");
  await truncate(raw, PARTITION_OFFSET + partitionBytes);
  const place = ["-E", `offset=${PARTITION_OFFSET}`, "-L", "root", "-d", root];
  await run("/sbin/mke2fs", ["-q", "-F", "-t", "ext4", ...place, raw, `${PARTITION_MIB}M`]);
  // After mke2fs, which clears the begin of the file.
  const sectors = await grubSectors({ configuration: "normal\n", modules: ["normal"], partitionBytes, folder });
  const file = await open(raw, "r+");
  await file.write(sectors, 0, sectors.length, 0);
  await file.close();
  await run("qemu-img", ["convert", "-O", "qcow2", raw, join(folder, "disk.qcow2")]);
  await rm(raw);
}
