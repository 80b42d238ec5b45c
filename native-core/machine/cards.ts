// The PCI cards a machine may have, one line each. Slots are fixed, so that plugging one in never moves another.
import { assert } from "../common/assert.ts";
import type { ADAPTER_MODELS } from "../config/network-settings.ts";
import { ADAPTER_SLOTS, DISK_SLOTS, slotsOf, targetOf } from "../config/slots.ts";
import { AhciController } from "../devices/ahci/ahci-controller.ts";
import type { BlockBackend } from "../devices/block-backend.ts";
import type { ChipsetModel } from "../devices/chipset/models.ts";
import { POWER_MANAGEMENT_FUNCTION, PowerManagement } from "../devices/chipset/power-management.ts";
import type { DisplaySource } from "../devices/display-source.ts";
import { DmaController } from "../devices/dma/dma-controller.ts";
import { E1000 } from "../devices/e1000/e1000.ts";
import { Flash, type FlashContent } from "../devices/flash/flash.ts";
import { FLOPPY_DMA_CHANNEL, FLOPPY_IRQ, FloppyController } from "../devices/floppy/floppy-controller.ts";
import { FwCfg } from "../devices/fw-cfg/fw-cfg.ts";
import { Hda } from "../devices/hda/hda.ts";
import { IdeController } from "../devices/ide/ide-controller.ts";
import type { IdeDriveParts } from "../devices/ide/ide-drive.ts";
import type { NetworkAdapter, NetworkBackend } from "../devices/network/adapter.ts";
import { NvmeController } from "../devices/nvme/nvme-controller.ts";
import { FirmwareRom } from "../devices/rom/rom.ts";
import { Rtl8139 } from "../devices/rtl8139/rtl8139.ts";
import type { ScsiCdRom } from "../devices/scsi/cd-rom.ts";
import type { SoundSink } from "../devices/sound/pcm.ts";
import { Vga, VRAM_DEFAULT_BYTES } from "../devices/vga/vga.ts";
import { PlainVram } from "../devices/vga/vram.ts";
import { VirtioBlk } from "../devices/virtio/blk/virtio-blk.ts";
import { type ConsolePortOptions, VirtioConsole } from "../devices/virtio/console/virtio-console.ts";
import type { VirtioGpu } from "../devices/virtio/gpu/virtio-gpu.ts";
import { VirtioVga } from "../devices/virtio/gpu/virtio-vga.ts";
import { VirtioKeyboard } from "../devices/virtio/input/virtio-keyboard.ts";
import { VirtioTablet } from "../devices/virtio/input/virtio-tablet.ts";
import type { VirtioModel } from "../devices/virtio/model.ts";
import { VirtioNet } from "../devices/virtio/net/virtio-net.ts";
import type { FileShare } from "../devices/virtio/p9/file-share.ts";
import { VirtioP9 } from "../devices/virtio/p9/virtio-p9.ts";
import { VirtioPciDevice } from "../devices/virtio/pci-transport.ts";
import { VirtioRng } from "../devices/virtio/rng/virtio-rng.ts";
import type { ScsiPart } from "../devices/virtio/scsi/target.ts";
import { VirtioScsi } from "../devices/virtio/scsi/virtio-scsi.ts";
import { VirtioSound } from "../devices/virtio/sound/virtio-sound.ts";
import type { Firmware } from "../firmware/firmware.ts";
import type { BoardServices, IsaCard, PciCard } from "./board.ts";
import { UsbPorts } from "./usb-ports.ts";

/** Slot of the controller for NVMe disks. */
export const NVME_SLOT = 7;
/** Slot of the virtio-scsi controller. */
export const SCSI_SLOT = 24;
/** Slot of the device that carries shared folders, and its name. */
export const SHARED_FOLDERS_SLOT = 25;
export const SHARED_FOLDERS_DEVICE = "virtio-9p0";
/** What guests mount shared folders by. */
const MOUNT_TAG = "shared";
const DEFAULT_MONITOR = { width: 1024, height: 768 } as const;
export const USB_SLOT = 29;
const SLOT = { VGA: 2, RNG: 3, CONSOLE: 4, TABLET: 5, KEYBOARD: 26, SOUND: 27, USB: USB_SLOT } as const;

export interface DiskPart {
  /** Names the device in saved states, and is its serial number: `disk0`. */
  id: string;
  /** Of a virtio or SCSI disk: its place, else the place follows from the order. */
  slot?: number | undefined;
  backend: BlockBackend;
  onError?: (request: string, error: unknown) => void;
}

/** A drive for discs on the SCSI controller; `number`: 0 for the first one. */
interface ScsiDrivePart {
  id: string;
  number: number;
  cdRom: ScsiCdRom;
  onError?: (request: string, error: unknown) => void;
}

/** A disk or a drive for discs at one of the four places of the IDE controller (primary master, slave, secondary master, slave). */
export interface IdePart {
  id: string;
  position: 0 | 1 | 2 | 3;
  disk?: BlockBackend;
  cdRom?: ScsiCdRom;
  onError?: (request: string, error: unknown) => void;
}

export interface NetworkPart {
  /** Names the device in saved states: `nic0`. */
  id: string;
  /** Its place on the PCI bus, else the place follows from the order. */
  slot?: number | undefined;
  model: (typeof ADAPTER_MODELS)[number];
  mac: Uint8Array;
  linkUp: boolean;
  /** Takes what the guest sends. */
  backend: NetworkBackend;
  /** Called with the adapter once it is there. */
  attach(adapter: NetworkAdapter): void;
}

export interface CardParts {
  /** Network adapters. */
  adapters?: readonly NetworkPart[];
  disks?: readonly DiskPart[];
  /** UEFI's variables, in flash right below the firmware's code. */
  flash?: FlashContent;
  /** Drives on the IDE controller; absent: there is no controller. */
  ide?: readonly IdePart[];
  /** Disks on the AHCI adapter, one per port; absent: there is no adapter. */
  sata?: readonly DiskPart[];
  /** The disk in floppy drive A:, of one of the sizes that there are; absent: there is no drive. */
  floppy?: Omit<DiskPart, "slot">;
  /** Disks and drives on the virtio-scsi controller; absent: there is no controller. */
  scsi?: { disks: readonly DiskPart[]; drives: readonly ScsiDrivePart[] };
  /** Namespaces of the NVMe controller; absent: there is no controller. */
  nvme?: readonly DiskPart[];
  /** A display adapter with its memory (a power of two, 16 MiB by default) and the monitor's preferred mode in pixels. */
  video?: { memoryBytes?: number; monitor?: { width: number; height: number }; adapter?: "vga" | "virtio" };
  /** A sound adapter, and where it plays. */
  sound?: { adapter: "hda" | "virtio"; sink: SoundSink };
  /** A USB controller with a keyboard and a tablet, and what else is plugged into it. */
  usb?: { disks?: readonly DiskPart[] };
  /** A paravirtual keyboard beside that of PS/2. */
  virtioKeyboard?: boolean;
  /** Folders of the host that the guest may mount; absent: there is no device for them. */
  sharedFolders?: readonly FileShare[];
  /** Ports of a virtio console; the first is a terminal. */
  consolePorts?: readonly [ConsolePortOptions, ...ConsolePortOptions[]];
}

export class StandardCards {
  readonly cards: readonly PciCard[];
  /** What firmware needs on the board. */
  readonly isaCards: readonly IsaCard[];
  /** The picture, if there is a display adapter. Like `console`, there once the board is made. */
  display: DisplaySource | undefined;
  console: VirtioConsole | undefined;
  /** The absolute pointer that goes with a display. */
  tablet: VirtioTablet | undefined;
  keyboard: VirtioKeyboard | undefined;
  /** The USB controller's devices, if there is one. */
  usb: UsbPorts | undefined;
  /** The virtio-scsi controller, if there is one: disks come to it and leave it. */
  scsi: VirtioScsi | undefined;
  /** The display adapter, if its monitor can change its size while the guest runs. */
  gpu: VirtioGpu | undefined;
  /** The device that carries shared folders, if there is one. */
  p9: VirtioP9 | undefined;

  constructor(parts: CardParts, { rom, videoRom, adapterRoms, fwCfg }: Firmware, chipset: ChipsetModel) {
    const { disks = [], adapters = [], video, consolePorts } = parts;
    this.isaCards = [
      ...(rom ? [({ bus }: BoardServices) => new FirmwareRom(bus, rom)] : []),
      ...(rom && parts.flash ? [flashCard(rom, parts.flash)] : []),
      ...(fwCfg ? [({ bus, memory }: BoardServices) => new FwCfg(bus, memory, fwCfg)] : []),
      ...(parts.floppy ? floppyCards(parts.floppy) : []),
    ];
    this.cards = [
      ...(video
        ? [
            { slot: SLOT.VGA, create: (services: BoardServices) => this.#display(services, video, videoRom) },
            virtioCard(SLOT.TABLET, "virtio-tablet0", () => (this.tablet = new VirtioTablet())),
          ]
        : []),
      ...(parts.virtioKeyboard
        ? [virtioCard(SLOT.KEYBOARD, "virtio-keyboard0", () => (this.keyboard = new VirtioKeyboard()))]
        : []),
      virtioCard(SLOT.RNG, "virtio-rng0", ({ inputs }) => new VirtioRng(inputs)),
      ...(consolePorts
        ? [virtioCard(SLOT.CONSOLE, "virtio-console0", () => (this.console = new VirtioConsole(consolePorts)))]
        : []),
      ...(fwCfg && chipset.name === "i440fx"
        ? [
            {
              slot: chipset.isaBridgeSlot,
              functionNumber: POWER_MANAGEMENT_FUNCTION,
              create: () => new PowerManagement(),
            },
          ]
        : []),
      ...(parts.usb ? [this.#usb(parts.usb.disks ?? [])] : []),
      ...(parts.sound ? [soundCard(parts.sound)] : []),
      ...(parts.ide ? [ideCard(parts.ide, chipset)] : []),
      // Q35 has it built in, whether there are disks or not.
      ...(parts.sata || chipset.name === "q35" ? [sataCard(parts.sata ?? [], chipset)] : []),
      ...(parts.nvme ? [nvmeCard(parts.nvme)] : []),
      ...(parts.scsi ? [this.#scsi(parts.scsi)] : []),
      ...(parts.sharedFolders ? [this.sharedFolders(parts.sharedFolders)] : []),
      ...disks.map((disk) => diskCard(disk, slotOf(disks, disk, DISK_SLOTS))),
      ...adapters.map((part) =>
        withRom(adapterCard(part, slotOf(adapters, part, ADAPTER_SLOTS)), adapterRoms?.get(part.model)),
      ),
    ];
  }

  /** Also for a machine that is on. */
  sharedFolders(shares: readonly FileShare[]): PciCard {
    return virtioCard(SHARED_FOLDERS_SLOT, SHARED_FOLDERS_DEVICE, ({ deliver, inputs }) => {
      const nowMs = (): number => inputs.wallClockMs();
      this.p9 = new VirtioP9({ tag: MOUNT_TAG, shares, nowMs, deliver });
      return this.p9;
    });
  }

  #usb(disks: readonly DiskPart[]): PciCard {
    return {
      slot: SLOT.USB,
      create: (services) => {
        this.usb = new UsbPorts(services);
        for (const disk of disks) this.usb.plug(disk);
        return this.usb.controller;
      },
    };
  }

  #scsi({ disks, drives }: NonNullable<CardParts["scsi"]>): PciCard {
    const parts = [
      ...disks.map((disk) => scsiDisk(disk, slotOf(disks, disk, DISK_SLOTS))),
      ...drives.map(({ number, cdRom, ...rest }) => ({ ...rest, target: FIRST_DRIVE_TARGET + number, medium: cdRom })),
    ];
    return virtioCard(SCSI_SLOT, "virtio-scsi0", (host) => (this.scsi = new VirtioScsi(parts, host)));
  }

  #display(
    { bus, clock, memory, videoMemory, deliver, warn }: BoardServices,
    { memoryBytes, monitor = DEFAULT_MONITOR, adapter }: NonNullable<CardParts["video"]>,
    rom: Uint8Array | undefined,
  ): Vga | VirtioVga {
    const vram = videoMemory ?? new PlainVram(memoryBytes ?? VRAM_DEFAULT_BYTES);
    const options = { bus, clock, vram, saveVram: videoMemory === undefined, rom, monitor };
    const card = adapter === "virtio" ? new VirtioVga({ ...options, memory, deliver, warn }) : new Vga(options);
    if (card instanceof VirtioVga) this.gpu = card.gpu;
    this.display = card.display;
    return card;
  }
}

function slotOf<T extends { id: string; slot?: number | undefined }>(
  parts: readonly T[],
  part: T,
  range: typeof DISK_SLOTS | typeof ADAPTER_SLOTS,
): number {
  return part.slot ?? slotsOf(parts, range).get(part.id) ?? range.first;
}

/** Targets below it are disks. */
export const FIRST_DRIVE_TARGET = DISK_SLOTS.count;

export function scsiDisk({ id, backend, onError }: DiskPart, slot: number): ScsiPart {
  return { id, target: targetOf(slot), medium: backend, onError };
}

/** The virtio disk in `slot`; the name of its device follows from `diskDevice`. */
export function diskCard({ backend, id, onError }: DiskPart, slot: number): PciCard {
  return virtioCard(
    slot,
    diskDevice(id),
    ({ deliver, isIdle, awaitHost }) => new VirtioBlk({ backend, serial: id, deliver, isIdle, awaitHost, onError }),
  );
}

export const diskDevice = (id: string): string => `virtio-blk-${id}`;
export const adapterDevice = ({ id, model }: Pick<NetworkPart, "id" | "model">): string =>
  `${model === "virtio" ? "virtio-net" : model}-${id}`;

function floppyCards({ backend, onError }: NonNullable<CardParts["floppy"]>): IsaCard[] {
  let dma: DmaController | undefined;
  return [
    ({ bus, memory }) => (dma = new DmaController(bus, memory)),
    ({ bus, isaLine, deliver, awaitHost }) => {
      assert(dma, "the DMA controller was made first");
      const channel = dma.channel(FLOPPY_DMA_CHANNEL);
      return new FloppyController({
        bus,
        irq: isaLine(FLOPPY_IRQ),
        dma: channel,
        deliver,
        awaitHost,
        disk: backend,
        onError,
      });
    },
  ];
}

function flashCard(rom: Uint8Array, content: FlashContent): IsaCard {
  const base = 2 ** 32 - rom.length - content.bytes.length;
  return ({ bus }) => new Flash(bus, base, content);
}

function sataCard(disks: readonly DiskPart[], chipset: ChipsetModel): PciCard {
  return {
    ...chipset.sata,
    create: ({ memory, deliver, awaitHost }) =>
      new AhciController(
        memory,
        disks.map(({ id, backend, onError }) => ({ serial: id, disk: backend, onError, deliver, awaitHost })),
      ),
  };
}

function soundCard({ adapter, sink }: NonNullable<CardParts["sound"]>): PciCard {
  if (adapter === "virtio") return virtioCard(SLOT.SOUND, "virtio-snd0", ({ clock }) => new VirtioSound(clock, sink));
  return { slot: SLOT.SOUND, create: ({ memory, clock }) => new Hda({ memory, clock, sink }) };
}

function nvmeCard(disks: readonly DiskPart[]): PciCard {
  return {
    slot: NVME_SLOT,
    create: ({ memory, deliver, awaitHost }) => new NvmeController({ memory, disks, deliver, awaitHost }),
  };
}

function ideCard(drives: readonly IdePart[], chipset: ChipsetModel): PciCard {
  return {
    ...chipset.ide,
    create: ({ bus, memory, isaLine, deliver, awaitHost }) => {
      const at = (position: number): IdeDriveParts | undefined => {
        const part = drives.find((each) => each.position === position);
        return part && { ...part, serial: part.id, deliver, awaitHost };
      };
      return new IdeController({ bus, memory, isaLine, drives: [at(0), at(1), at(2), at(3)] });
    },
  };
}

/** The card with an option ROM, if there is one for it. */
function withRom(card: PciCard, rom: Uint8Array | undefined): PciCard {
  if (!rom) return card;
  return {
    ...card,
    create: (services) => {
      const device = card.create(services);
      device.pci.addRom(rom);
      return device;
    },
  };
}

export function adapterCard(part: NetworkPart, slot: number): PciCard {
  if (part.model !== "virtio") return { slot, create: (services) => hardwareAdapter(part, services) };
  return virtioCard(slot, adapterDevice(part), ({ deliver }) => {
    const model = new VirtioNet({ ...part, deliver });
    part.attach(model);
    return model;
  });
}

function hardwareAdapter(part: NetworkPart, { deliver, memory, clock }: BoardServices): E1000 | Rtl8139 {
  const options = { ...part, name: adapterDevice(part), memory, deliver };
  const adapter = part.model === "rtl8139" ? new Rtl8139({ ...options, clock }) : new E1000(options);
  part.attach(adapter);
  return adapter;
}

function virtioCard(slot: number, name: string, createModel: (services: BoardServices) => VirtioModel): PciCard {
  return {
    slot,
    create: (services) =>
      new VirtioPciDevice({
        name,
        model: createModel(services),
        memory: services.memory,
        deliver: services.deliver,
        warn: services.warn,
      }),
  };
}
