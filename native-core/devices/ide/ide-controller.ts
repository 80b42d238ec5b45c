// The PIIX3's IDE controller: a PCI function (00:01.1) with two legacy channels and their bus masters.
import { z } from "zod";
import { ATA_DEVICE, ATA_STATUS } from "../ata/registers.ts";
import { byteWide } from "../bus.ts";
import type { AccessSize, Device, GuestMemory, InterruptLine, IoBus, IoMapping } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/pci-function.ts";
import { flag, u8 } from "../state-schema.ts";
import { BusMaster, type BusMasterState, busMasterStateSchema } from "./bus-master.ts";
import { type DriveState, driveStateSchema, IdeDrive, type IdeDriveParts } from "./ide-drive.ts";
import { BUS_MASTER, IDE, IDE_CHANNELS, IDE_CONTROL, IDE_DECODE_ENABLE, IDE_TIMING } from "./registers.ts";

/** Master and slave of the primary, then of the secondary channel; undefined where no drive is. */
export type IdePositions = readonly [
  IdeDriveParts | undefined,
  IdeDriveParts | undefined,
  IdeDriveParts | undefined,
  IdeDriveParts | undefined,
];

export interface IdeControllerParts {
  readonly bus: IoBus;
  readonly memory: GuestMemory;
  isaLine(irq: number): InterruptLine;
  readonly drives: IdePositions;
}

interface ChannelState {
  control: number;
  device: number;
  interrupt: boolean;
  busMaster: BusMasterState;
  drives: (DriveState | null)[];
}

interface IdeState {
  pci: PciFunctionState;
  channels: ChannelState[];
}

export class IdeController implements Device<IdeState> {
  readonly name = "ide";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<IdeState>;
  readonly pci = new PciFunction({ vendorId: 0x8086, deviceId: 0x7010, classCode: 0x010180 });
  readonly #channels: readonly Channel[];
  readonly #mappings: readonly IoMapping[];

  constructor({ bus, memory, isaLine, drives }: IdeControllerParts) {
    this.#channels = IDE_CHANNELS.map(
      ({ irq }, index) => new Channel(memory, isaLine(irq), [drives[index * 2], drives[index * 2 + 1]]),
    );
    this.pci.addRegister(IDE_TIMING, 4, IDE_DECODE_ENABLE * 0x10001, 0xffffffff);
    this.pci.addBar({
      index: 4,
      kind: "io",
      sizeBytes: 2 * BUS_MASTER.BYTES,
      handler: byteWide(
        (offset) => this.#channels[offset >> 3]?.busMaster.read(offset & 7) ?? 0xff,
        (offset, value) => this.#channels[offset >> 3]?.busMaster.write(offset & 7, value),
      ),
    });
    this.#mappings = this.#channels.flatMap((channel, index) => {
      const { command, control } = IDE_CHANNELS[index] as (typeof IDE_CHANNELS)[number];
      const alternate = byteWide(
        () => channel.status,
        (_, value) => channel.writeControl(value),
      );
      return [bus.mapPorts(command, 8, channel), bus.mapPorts(control, 1, alternate)];
    });
    this.stateSchema = z.strictObject({
      pci: this.pci.stateSchema,
      channels: z.array(channelStateSchema).length(IDE_CHANNELS.length),
    });
  }

  reset(): void {
    this.pci.reset();
    for (const channel of this.#channels) channel.reset();
  }

  save(): IdeState {
    return { pci: this.pci.save(), channels: this.#channels.map((channel) => channel.save()) };
  }

  restore(state: IdeState): void {
    this.pci.restore(state.pci);
    for (const [index, channel] of this.#channels.entries()) {
      const saved = state.channels[index];
      if (saved) channel.restore(saved);
    }
  }

  dispose(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    this.pci.dispose();
  }
}

const channelStateSchema = z.strictObject({
  control: u8,
  device: u8,
  interrupt: flag,
  busMaster: busMasterStateSchema,
  drives: z.array(driveStateSchema.nullable()).length(2),
});

/** Two drives on one cable. Both take what is written to the task file; the selected one answers. */
class Channel {
  readonly busMaster: BusMaster;
  readonly #line: InterruptLine;
  readonly #drives: readonly (IdeDrive | undefined)[];
  #control = 0;
  #device = 0;
  #interrupt = false;

  constructor(
    memory: GuestMemory,
    line: InterruptLine,
    drives: readonly [IdeDriveParts | undefined, IdeDriveParts | undefined],
  ) {
    this.#line = line;
    this.busMaster = new BusMaster(memory, () => this.#selected?.dmaReady());
    const wires = {
      interrupt: () => this.#raise(),
      dma: (bytes: Uint8Array, toMemory: boolean) =>
        this.busMaster.active ? this.busMaster.transfer(bytes, toMemory) : undefined,
      dmaFinished: (failed: boolean) => this.busMaster.finish(failed),
    };
    this.#drives = drives.map((parts) => parts && new IdeDrive(parts, wires));
  }

  get status(): number {
    return this.#selected?.status ?? 0;
  }

  read(offset: number, size: AccessSize): number {
    const drive = this.#selected;
    if (!drive) return 0;
    if (offset === IDE.DATA) return drive.readData(size);
    const { task } = drive;
    const high = (this.#control & IDE_CONTROL.HIGH_BYTE) !== 0;
    const byte = (register: number): number => (high ? register >>> 8 : register & 0xff);
    switch (offset) {
      case IDE.ERROR_FEATURES:
        return drive.error;
      case IDE.COUNT:
        return byte(task.count);
      case IDE.LBA_LOW:
        return byte(task.lbaLow);
      case IDE.LBA_MID:
        return byte(task.lbaMid);
      case IDE.LBA_HIGH:
        return byte(task.lbaHigh);
      case IDE.DEVICE:
        return task.device | 0xa0;
      default:
        this.#setInterrupt(false);
        return drive.status;
    }
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset === IDE.DATA) {
      this.#selected?.writeData(size, value);
      return;
    }
    const byte = value & 0xff;
    this.#control &= ~IDE_CONTROL.HIGH_BYTE;
    if (offset === IDE.STATUS_COMMAND) {
      this.#setInterrupt(false);
      this.#selected?.command(byte);
      return;
    }
    if (offset === IDE.DEVICE) this.#device = byte;
    for (const drive of this.#drives) {
      if (!drive || drive.status & ATA_STATUS.BUSY) continue;
      const { task } = drive;
      const push = (register: number): number => ((register & 0xff) << 8) | byte;
      if (offset === IDE.ERROR_FEATURES) task.features = push(task.features);
      else if (offset === IDE.COUNT) task.count = push(task.count);
      else if (offset === IDE.LBA_LOW) task.lbaLow = push(task.lbaLow);
      else if (offset === IDE.LBA_MID) task.lbaMid = push(task.lbaMid);
      else if (offset === IDE.LBA_HIGH) task.lbaHigh = push(task.lbaHigh);
      else task.device = byte;
    }
  }

  writeControl(value: number): void {
    const resetting = (value & ~this.#control & IDE_CONTROL.SOFT_RESET) !== 0;
    this.#control = value & (IDE_CONTROL.INTERRUPT_OFF | IDE_CONTROL.SOFT_RESET | IDE_CONTROL.HIGH_BYTE);
    if (resetting) this.#resetDrives();
    this.#updateLine();
  }

  reset(): void {
    this.#control = 0;
    this.busMaster.reset();
    this.#resetDrives();
  }

  save(): ChannelState {
    return {
      control: this.#control,
      device: this.#device,
      interrupt: this.#interrupt,
      busMaster: this.busMaster.save(),
      drives: this.#drives.map((drive) => drive?.save() ?? null),
    };
  }

  restore(state: ChannelState): void {
    this.#control = state.control & (IDE_CONTROL.INTERRUPT_OFF | IDE_CONTROL.SOFT_RESET | IDE_CONTROL.HIGH_BYTE);
    this.#device = state.device;
    this.busMaster.restore(state.busMaster);
    for (const [index, drive] of this.#drives.entries()) {
      const saved = state.drives[index];
      if (saved) drive?.restore(saved);
    }
    this.#interrupt = state.interrupt;
    this.#updateLine();
  }

  get #selected(): IdeDrive | undefined {
    return this.#drives[(this.#device & ATA_DEVICE.SECOND) === 0 ? 0 : 1];
  }

  #resetDrives(): void {
    this.#device = 0;
    for (const drive of this.#drives) drive?.reset();
    this.#setInterrupt(false);
  }

  #raise(): void {
    this.busMaster.interrupt();
    this.#setInterrupt(true);
  }

  #setInterrupt(level: boolean): void {
    this.#interrupt = level;
    this.#updateLine();
  }

  #updateLine(): void {
    this.#line.set(this.#interrupt && (this.#control & IDE_CONTROL.INTERRUPT_OFF) === 0);
  }
}
