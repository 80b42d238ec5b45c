// The files of Starter Linux that are ours: what runs in the initial RAM disk and the small system on its disk.

/** Drivers for disk and network, and what makes the machine pleasant; what they depend on is found from the modules themselves. */
export const MODULES = [
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  // Raw sockets, for DHCP and captures.
  "af_packet",
  "virtio_rng",
  "virtio_console",
  "virtio_input",
  "button",
  "evdev",
] as const;

/** PID 1 of the initial RAM disk: loads the disk driver, mounts the disk and hands over. */
export const initramfsInit = (modules: readonly string[]): string => `#!/bin/busybox sh
# Starter Linux, stage 1: find the disk and continue there.
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in ${modules.join(" ")}; do
  /bin/busybox insmod /modules/$module.ko
done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 50 ]; do
  /bin/busybox usleep 20000
  tries=$((tries + 1))
done
if /bin/busybox mount -t ext4 /dev/vda /new; then
  /bin/busybox mount --move /dev /new/dev
  /bin/busybox mount --move /proc /new/proc
  /bin/busybox mount --move /sys /new/sys
  exec /bin/busybox switch_root /new /sbin/init
fi
echo "Starter Linux: there is no usable disk (/dev/vda); this shell runs from memory and keeps nothing."
/bin/busybox --install -s /bin
exec /bin/busybox setsid -c /bin/busybox sh </dev/ttyS0 >/dev/ttyS0 2>&1
`;

/** Root file system of the disk: path to content; executables are marked. */
export const ROOT_FILES: Record<string, { text: string; executable?: boolean }> = {
  "etc/inittab": {
    text: `::sysinit:/etc/init.d/boot
ttyS0::respawn:-/bin/sh
tty1::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/etc/init.d/shutdown
::restart:/sbin/init
`,
  },
  "etc/init.d/boot": {
    executable: true,
    text: `#!/bin/sh
# Runs once per boot, before the shells.
[ -e /bin/ls ] || /bin/busybox --install -s
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
hostname -F /etc/hostname
sysctl -q -p
ip link set lo up
# Addresses come by DHCP as soon as there is a cable; \`udhcpc\` keeps asking in the background and the boot does not wait for it.
for path in /sys/class/net/eth*; do
  [ -e "$path" ] || continue
  name=\${path##*/}
  ip link set $name up
  udhcpc -b -t 3 -T 1 -A 5 -i $name -p /run/udhcpc.$name.pid -x hostname:$(hostname) >/dev/null 2>&1 &
done
[ -e /dev/ttyS1 ] && stty -F /dev/ttyS0 sane
# A power-button press arrives as an ACPI event on an input device; acpid of busybox needs neither daemon nor rules beyond this.
[ -d /etc/acpi ] && acpid -c /etc/acpi -l /run/acpid.log
`,
  },
  "etc/init.d/shutdown": {
    executable: true,
    text: `#!/bin/sh
sync
umount -a -r 2>/dev/null
`,
  },
  "etc/acpi/PWRF/00000080": { executable: true, text: "#!/bin/sh\nexec poweroff\n" },
  "etc/udhcpc/default.script": {
    executable: true,
    text: `#!/bin/sh
# Puts into effect what DHCP has given; $1 is what happened.
case $1 in
  deconfig)
    ip -4 addr flush dev $interface
    ip link set $interface up
    ;;
  bound|renew)
    ip -4 addr flush dev $interface
    ip addr add $ip/$mask dev $interface
    [ -n "$router" ] && ip route replace default via $router dev $interface
    if [ -n "$dns" ]; then
      for server in $dns; do echo nameserver $server; done > /etc/resolv.conf
    fi
    ;;
esac
exit 0
`,
  },
  "etc/hosts": { text: "127.0.0.1 localhost\n::1 localhost\n" },
  "etc/hostname": { text: "starter\n" },
  "etc/passwd": { text: "root::0:0:root:/root:/bin/sh\n" },
  "etc/group": { text: "root:x:0:\n" },
  "etc/sysctl.conf": {
    text: `# For a machine that rests when it has nothing to do: the kernel neither looks twice a second whether memory should be compacted
# (it is when a large block is wanted), nor sums up its statistics every second.
vm.compaction_proactiveness = 0
vm.stat_interval = 10
`,
  },
  "etc/fstab": { text: "/dev/vda / ext4 rw,relatime 0 1\n" },
  "etc/os-release": {
    text: 'NAME="Starter Linux"\nID=starter\nPRETTY_NAME="Starter Linux (Debian kernel, busybox)"\n',
  },
  "etc/profile": {
    text: `export PATH=/bin:/sbin:/usr/bin:/usr/sbin
export HOME=/root TERM=\${TERM:-linux}
export PS1='\\h:\\w# '
cd /root
if [ "$(tty)" = /dev/ttyS0 ]; then export TERM=xterm-256color; fi
echo "Starter Linux is ready. Files on this disk stay; 'poweroff' ends the machine."
`,
  },
  "root/www/index.html": { text: "<h1>Hello from Starter Linux</h1>\n" },
  "root/README": {
    text: "This is a small Linux on a real disk. Take a snapshot, break something, restore.\nThe network is set up by DHCP; try: wget -O - http://example.org, or serve files with: httpd -p 80 -h /root/www\n",
  },
};

/** Empty folders of the disk's root. */
export const ROOT_FOLDERS = [
  "bin",
  "sbin",
  "usr/bin",
  "usr/sbin",
  "dev",
  "proc",
  "sys",
  "run",
  "tmp",
  "mnt",
  "var/log",
  "lib/modules",
  "root",
];
