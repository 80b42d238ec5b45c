// The configuration of a machine, declared once. It is what `machine.json` holds, what the GUI and CLI edit and what an engine gets.
// Identity, state and snapshots are not configuration: they live in the store (main/store) and in the machine record.
import { z } from "zod";
import { backupSettingsSchema } from "./backup-settings.ts";
import { field } from "./field.ts";
import { adaptersSchema, defaultAdapter } from "./network-settings.ts";
import { sharedFoldersSchema } from "./shared-folders.ts";
import { areDistinct, DISK_SLOTS } from "./slots.ts";
import { snapshotSettingsSchema } from "./snapshot-settings.ts";

const CONFIG_VERSION = 1;

export const MEMORY_MIN_MIB = 64;
export const MEMORY_MAX_MIB = 3072;
/** Its configuration space takes the rest of what lies below 3 GiB. */
const Q35_MEMORY_MAX_MIB = 2816;
export const CPUS_MAX = 8;
export const DISKS_MAX = 8;
/** Disks on the IDE controller beside its drives for discs. */
const IDE_DISKS_MAX = 2;
/** Ports of the USB controller beside those of keyboard and tablet. */
const USB_DISKS_MAX = 4;
export const OPTICAL_DRIVES_MAX = 2;
export const BOOT_DEVICES = ["disk", "cdrom", "network"] as const;
/** Firmware asks the network only where the machine says so. */
const DEFAULT_BOOT_ORDER = ["disk", "cdrom"] as const;

/** What CPUID may show (cpu/cpuid/models.ts), least first. */
const CPU_MODELS = ["baseline", "x86-64-v2", "x86-64-v3", "max"] as const;
const CHIPSETS = ["i440fx", "q35"] as const;
/** What a disk may hang on, best first. */
export const DISK_BUSES = ["virtio", "scsi", "nvme", "sata", "ide", "usb"] as const;
/** Of those, what disks come to and leave while the machine runs. */
export const PLUGGABLE_BUSES = ["virtio", "scsi", "usb"] as const;
export type PluggableBus = (typeof PLUGGABLE_BUSES)[number];
/** What a drive for discs may hang on. */
export const DRIVE_BUSES = ["ide", "scsi"] as const;
const OS_TYPES = ["linux", "other"] as const;

/** `starter:NAME` is a file of the built-in Starter Linux; anything else is an absolute path on the host. */
const bootFile = z.string().min(1, "a file is needed").max(4096);

export const diskSchema = z.strictObject({
  /** Stable id within the machine: `disk0`. Names the virtio-blk device. */
  id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "small letters, digits and dashes, starting with a letter"),
  /** Image file: relative to the machine folder, or absolute for an image elsewhere. Always the top layer. */
  file: z.string().min(1).max(4096),
  format: z.enum(["qcow2", "raw"]),
  readOnly: z.boolean(),
  /** `scsi` is virtio-scsi; `nvme`, `sata` or `ide` for systems without virtio drivers; `nvram` holds UEFI's variables; `virtio` where it is left out. */
  bus: z.enum([...DISK_BUSES, "nvram"]).optional(),
  /** A virtio or SCSI disk's place, once it must not depend on the disks before it any more (slots.ts). */
  slot: z
    .int()
    .min(DISK_SLOTS.first)
    .max(DISK_SLOTS.first + DISK_SLOTS.count - 1)
    .optional(),
  /** Left out of snapshots: none holds what is on it, and no restore changes that (ADR 38). */
  independent: z.boolean().optional(),
});
export type DiskConfig = z.infer<typeof diskSchema>;

const opticalDriveSchema = z.strictObject({
  /** Stable id within the machine: `cd0`. */
  id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "small letters, digits and dashes, starting with a letter"),
  /** The disc: an ISO image on the host; null is an empty drive. */
  file: z.string().min(1).max(4096).nullable(),
  /** `scsi` is virtio-scsi; `ide` where it is left out. */
  bus: z.enum(DRIVE_BUSES).optional(),
});
export type OpticalDriveConfig = z.infer<typeof opticalDriveSchema>;

const serialPortSchema = z.strictObject({
  /** `console`: shown in the app, kept as scroll-back. `none`: the port is there, nothing is attached. */
  mode: z.enum(["console", "none"]),
  /** Also append everything the guest prints to `logs/ttySn.log`. */
  log: z.boolean(),
});

/** Names from the outermost group inwards, separated by slashes; "" is no group. */
export const groupSchema = z
  .string()
  .max(256, "at most 256 characters")
  .regex(
    /^(?:[^/\p{Cc}\s](?:[^/\p{Cc}]*[^/\p{Cc}\s])?(?:\/(?!$)|$)){0,8}$/u,
    "names separated by single slashes, at most 8",
  );

const machineFields = z.strictObject({
  version: z.literal(CONFIG_VERSION),
  name: field(
    z
      .string()
      .trim()
      .min(1, "a name is needed")
      .max(128, "at most 128 characters")
      .regex(/^[^/\\\p{Cc}]*$/u, "no slashes or control characters"),
    {
      label: "Name",
      help: "Shown in the list; unique among your machines.",
      page: "general",
      change: "running",
      example: "Test bench",
    },
  ),
  description: field(z.string().max(65536), {
    label: "Description",
    help: "Notes for yourself.",
    page: "general",
    change: "running",
    control: "multiline",
    example: "Used for the release tests.",
  }),
  osType: field(z.enum(OS_TYPES), {
    label: "Operating system",
    help: "Chooses the icon and sensible defaults.",
    page: "general",
    change: "running",
    control: "select",
    example: "other",
  }),
  // Machines that were made before there were groups have none.
  group: field(groupSchema.default(""), {
    label: "Group",
    help: "Where it is shown in the list. Slashes make groups in groups: Work/Servers.",
    page: "general",
    change: "running",
    example: "Work/Servers",
  }),
  memoryMiB: field(
    z.int().min(MEMORY_MIN_MIB, `at least ${MEMORY_MIN_MIB} MiB`).max(MEMORY_MAX_MIB, `at most ${MEMORY_MAX_MIB} MiB`),
    {
      label: "Memory",
      help: "RAM the guest sees. The host gives it out page by page, as the guest touches it.",
      page: "system",
      change: "off",
      unit: "MiB",
      control: "slider",
      example: 512,
    },
  ),
  cpuCount: field(z.int().min(1, "at least 1").max(CPUS_MAX, `at most ${CPUS_MAX}`), {
    label: "Processors",
    help: "Virtual processors the guest sees. They share one thread of the host: more of them do not make the guest faster.",
    page: "system",
    change: "off",
    control: "slider",
    example: 4,
  }),
  // Machines that were made before there were models keep the processor that their guests know.
  cpuModel: field(z.enum(CPU_MODELS).default("baseline"), {
    label: "Processor model",
    help: "What the guest is told it may use: x86-64-v2 has SSE4.2 and AES, x86-64-v3 adds AVX2, FMA and BMI, max is everything that works.",
    page: "system",
    change: "off",
    control: "select",
    example: "max",
  }),
  chipset: field(z.enum(CHIPSETS).default("i440fx"), {
    label: "Chipset",
    help: "The board: i440fx is a PC of 1996, which every system knows; q35 one of 2008 with SATA and PCI Express configuration.",
    page: "system",
    change: "off",
    control: "select",
    example: "q35",
  }),
  engine: field(z.enum(["embedded"]), {
    label: "Engine",
    help: "What runs the guest. The embedded engine works on every host without installation or rights.",
    page: "system",
    change: "off",
    control: "select",
    example: "embedded",
  }),
  // Machines that were made before there was a choice keep UTC.
  clock: z
    .strictObject({
      rtc: field(z.enum(["utc", "local"]).default("utc"), {
        label: "Hardware clock",
        help: "What the machine's clock shows: UTC, as Linux wants it, or the host's local time, as Windows and DOS do.",
        page: "system",
        change: "off",
        control: "select",
        example: "local",
      }),
    })
    .prefault({}),
  boot: z.strictObject({
    kernel: field(bootFile.nullable(), {
      label: "Kernel",
      help: "A 64-bit Linux kernel (bzImage) that is started directly; without one the machine boots from its disks and discs.",
      page: "boot",
      change: "off",
      control: "file",
      example: "/boot/vmlinuz",
    }),
    initrd: field(bootFile.nullable(), {
      label: "Initial RAM disk",
      help: "Loaded next to the kernel; may be left out.",
      page: "boot",
      change: "off",
      control: "file",
      example: "/boot/initrd.img",
    }),
    commandLine: field(z.string().max(2047, "at most 2047 characters"), {
      label: "Command line",
      help: "Parameters for the kernel, such as root=/dev/vda console=ttyS0.",
      page: "boot",
      change: "off",
      example: "console=ttyS0 quiet",
    }),
    firmware: field(z.enum(["bios", "uefi"]).default("bios"), {
      label: "Firmware",
      help: "What starts the system on a disk or disc: a PC BIOS, or UEFI with variables of the machine's own.",
      page: "boot",
      change: "off",
      control: "select",
      example: "uefi",
    }),
    order: field(
      z
        .array(z.enum(BOOT_DEVICES))
        .refine((order) => new Set(order).size === order.length, "each kind of device once")
        .default([...DEFAULT_BOOT_ORDER]),
      {
        label: "Boot order",
        help: "Where firmware looks for a system, first choice first. Disks and discs that are left out come last; the network is asked only if it is listed.",
        page: "boot",
        change: "off",
        control: "list",
        example: ["network", "cdrom", "disk"],
      },
    ),
    menuSeconds: field(z.number().min(0, "at least 0 s").max(60, "at most 60 s").default(0.5), {
      label: "Boot menu",
      help: "How long firmware waits for the Esc key, which opens the boot menu; 0 does not wait.",
      page: "boot",
      change: "off",
      unit: "s",
      control: "number",
      example: 5,
    }),
  }),
  display: z.strictObject({
    // Machines that were made before there was a choice keep the adapter that their guests know.
    adapter: field(z.enum(["vga", "virtio"]).default("vga"), {
      label: "Adapter",
      help: "vga works with every system; virtio is faster and follows the window's size in systems that have its driver, as Linux has.",
      page: "display",
      change: "off",
      control: "select",
      example: "virtio",
    }),
    videoMemoryMiB: field(
      z
        .int()
        .min(4, "at least 4 MiB")
        .max(64, "at most 64 MiB")
        .refine((size) => (size & (size - 1)) === 0, "4, 8, 16, 32 or 64 MiB: a power of two"),
      {
        label: "Video memory",
        help: "4, 8, 16, 32 or 64 MiB; 16 MiB is enough for 2560x1600 in full colour.",
        page: "display",
        change: "off",
        unit: "MiB",
        control: "number",
        example: 32,
      },
    ),
  }),
  // Machines that were made before there was sound have none.
  sound: z
    .strictObject({
      adapter: field(z.enum(["none", "hda", "virtio"]).default("none"), {
        label: "Sound",
        help: "hda is the sound of PCs since 2005, which systems have a driver for; virtio is for Linux with virtio_snd. It plays where the screen is shown.",
        page: "audio",
        change: "off",
        control: "select",
        example: "none",
      }),
    })
    .prefault({}),
  // The pointer needs no choice: it is a tablet as soon as the guest has a driver for one.
  input: z
    .strictObject({
      keyboard: field(z.enum(["ps2", "virtio"]).default("ps2"), {
        label: "Keyboard",
        help: "ps2 works with every system; virtio adds a keyboard for systems that have its driver, as Linux has, and ps2 stays for firmware.",
        page: "system",
        change: "off",
        control: "select",
        example: "virtio",
      }),
    })
    .prefault({}),
  // Machines that were made before there were floppy disks have no drive.
  floppy: z
    .strictObject({
      file: field(bootFile.nullable(), {
        label: "Floppy disk",
        help: "The image of a floppy disk (360 KiB to 2.88 MiB) in drive A:, write-protected; a BIOS machine boots from it first.",
        page: "storage",
        change: "off",
        control: "file",
        example: "/images/boot.img",
      }),
    })
    .prefault({ file: null }),
  // Machines that were made before there was USB have none.
  usb: z
    .strictObject({
      controller: field(z.enum(["none", "xhci"]).default("none"), {
        label: "USB",
        help: "xhci brings a keyboard and a tablet, which follows the pointer without being captured, and takes USB disks while the machine runs.",
        page: "usb",
        change: "off",
        control: "select",
        example: "xhci",
      }),
    })
    .prefault({}),
  disks: field(
    z
      .array(diskSchema)
      .refine((disks) => disks.filter(({ bus }) => bus !== "nvram").length <= DISKS_MAX, `at most ${DISKS_MAX} disks`)
      .refine(
        (disks) => disks.filter(({ bus }) => bus === "ide").length <= IDE_DISKS_MAX,
        `at most ${IDE_DISKS_MAX} IDE disks`,
      )
      .refine(
        (disks) => disks.filter(({ bus }) => bus === "usb").length <= USB_DISKS_MAX,
        `at most ${USB_DISKS_MAX} USB disks`,
      )
      .refine((disks) => disks.filter(({ bus }) => bus === "nvram").length <= 1, "one image for UEFI's variables")
      .refine(
        (disks) => disks.every(({ bus, independent }) => bus !== "nvram" || !independent),
        "UEFI's variables belong to every snapshot",
      )
      .refine(
        (disks) =>
          DISK_BUSES.every((each) =>
            areDistinct(disks.filter(({ bus = "virtio" }) => bus === each).map(({ slot }) => slot)),
          ),
        "each disk has its own slot",
      ),
    {
      label: "Disks",
      help: "In the order the guest sees them: virtio disks are vda, vdb, ..., SCSI, SATA and IDE disks sda, sdb, ... in Linux. Snapshots leave independent ones out.",
      page: "storage",
      change: "off",
      control: "list",
      example: [{ id: "disk0", file: "disks/disk0.qcow2", format: "qcow2", readOnly: false, bus: "ide" }],
    },
  ),
  opticalDrives: field(
    z
      .array(opticalDriveSchema)
      .max(OPTICAL_DRIVES_MAX, `at most ${OPTICAL_DRIVES_MAX} drives`)
      .refine((drives) => new Set(drives.map(({ id }) => id)).size === drives.length, "each drive its own id")
      .default([]),
    {
      label: "Optical drives",
      help: "Drives for ISO images. Discs are changed at any time; drives only while the machine is off.",
      page: "storage",
      change: "off",
      control: "list",
      example: [{ id: "cd0", file: "/isos/installer.iso" }],
    },
  ),
  // Machines that were made before there were networks have none.
  adapters: field(adaptersSchema.default([]), {
    label: "Network adapters",
    help: "What each is plugged into, port forwards, firewall rules and limits change at once, and a running machine can be given adapters; model and address change only while it is off.",
    page: "network",
    change: "running",
    control: "list",
    example: [{ ...defaultAdapter("nic0", "52:54:00:12:34:56"), connected: false }],
  }),
  // Machines that were made before there were shared folders have none.
  sharedFolders: field(sharedFoldersSchema.default([]), {
    label: "Shared folders",
    help: "Folders of this host that the guest may mount (9P, tag shared), each below the mount by its name. They may change at any time; snapshots, exported files and backups don't hold them.",
    page: "sharedFolders",
    change: "running",
    control: "list",
    example: [{ name: "papers", path: "/home/user/papers", readOnly: true }],
  }),
  serial: field(z.tuple([serialPortSchema, serialPortSchema]), {
    label: "Serial ports",
    help: "ttyS0 and ttyS1 in a Linux guest.",
    page: "serial",
    change: "off",
    control: "list",
    example: [
      { mode: "console", log: true },
      { mode: "console", log: true },
    ],
  }),
  snapshots: snapshotSettingsSchema,
  backup: backupSettingsSchema,
});

export const machineConfigSchema = machineFields.refine(
  ({ chipset, memoryMiB }) => chipset !== "q35" || memoryMiB <= Q35_MEMORY_MAX_MIB,
  {
    message: `at most ${Q35_MEMORY_MAX_MIB} MiB on the Q35 board`,
    path: ["memoryMiB"],
  },
);

export type MachineConfig = z.infer<typeof machineConfigSchema>;

/** Defaults of everything but what each machine must say itself. */
export function defaultMachineConfig(name: string, boot: Partial<MachineConfig["boot"]> = {}): MachineConfig {
  return {
    version: CONFIG_VERSION,
    name,
    description: "",
    osType: "linux",
    group: "",
    memoryMiB: 256,
    cpuCount: 1,
    cpuModel: "x86-64-v2",
    chipset: "i440fx",
    engine: "embedded",
    clock: { rtc: "utc" },
    boot: {
      kernel: null,
      initrd: null,
      commandLine: "",
      firmware: "bios",
      order: [...DEFAULT_BOOT_ORDER],
      menuSeconds: 0.5,
      ...boot,
    },
    display: { adapter: "vga", videoMemoryMiB: 16 },
    sound: { adapter: "hda" },
    input: { keyboard: "ps2" },
    floppy: { file: null },
    usb: { controller: "none" },
    disks: [],
    opticalDrives: [],
    adapters: [],
    sharedFolders: [],
    serial: [
      { mode: "console", log: true },
      { mode: "none", log: false },
    ],
    snapshots: snapshotSettingsSchema.parse({}),
    backup: backupSettingsSchema.parse({}),
  };
}
