// A PC: RAM, vCPUs, the board, and the loop that runs them in slices. Host-neutral; the VM process (native-core/host) drives it:
//
//   const machine = createMachine(parts);
//   machine.powerOn();  machine.resume();
//   for (;;) { const slice = machine.runSlice(5_000_000n); ... sleep until slice.nextDeadlineNs or an input when halted }
import { assert } from "../common/assert.ts";
import type { Platform } from "../cpu/context.ts";
import type { CpuModelName } from "../cpu/cpuid/models.ts";
import { VCPUS_MAX } from "../cpu/mmu/memory-layout.ts";
import type { InterruptSource, Vcpu } from "../cpu/vcpu-contract.ts";
import { SystemBus } from "../devices/bus.ts";
import { type ChipsetModel, type ChipsetName, chipsetModel } from "../devices/chipset/models.ts";
import type { GuestMemory, Inputs } from "../devices/device.ts";
import type { DisplaySource } from "../devices/display-source.ts";
import { floppyGeometry } from "../devices/floppy/geometry.ts";
import type { Lapic } from "../devices/lapic/lapic.ts";
import type { ByteSink } from "../devices/uart/uart.ts";
import { VRAM_DEFAULT_BYTES } from "../devices/vga/vga.ts";
import { type Vram, VramAperture } from "../devices/vga/vram.ts";
import type { VirtioConsole } from "../devices/virtio/console/virtio-console.ts";
import type { FileShare } from "../devices/virtio/p9/file-share.ts";
import type { VirtioScsi } from "../devices/virtio/scsi/virtio-scsi.ts";
import type { Firmware } from "../firmware/firmware.ts";
import { MEMORY_MAP } from "../firmware/memory-map.ts";
import { STATE } from "../x86/state-layout.ts";
import { Board, type PciCard } from "./board.ts";
import { Budget } from "./budget.ts";
import {
  adapterCard,
  type CardParts,
  type DiskPart,
  diskCard,
  type NetworkPart,
  StandardCards,
  scsiDisk,
} from "./cards.ts";
import { MachineClock } from "./clock.ts";
import { type CpuSavedState, restoreCpu, saveCpu } from "./cpu-saved-state.ts";
import { Hands } from "./hands.ts";
import { deterministicInputs, type InputEvent, InputQueue } from "./inputs.ts";
import {
  checkDeviceState,
  checkMachineState,
  MACHINE_STATE_VERSION,
  type MachineState,
} from "./machine-saved-state.ts";
import { RateLimit } from "./rate-limit.ts";
import { VcpuScheduler } from "./scheduler.ts";
import type { UsbPorts } from "./usb-ports.ts";

/** The longest slice while a guest without interrupts, such as firmware, polls for what the host is doing. */
const AWAITING_SLICE_NS = 200_000n;
/** And the most instructions: what was fast before, such as copying, says nothing about how fast firmware polls. */
const AWAITING_INSTRUCTIONS = 10_000;

/** What the processor and its memory must provide; made by cpu/ (see ProcessorFactory). */
export interface Processor {
  /** The first one is the bootstrap processor. */
  readonly vcpus: readonly Vcpu[];
  readonly memory: GuestMemory;
  /** Video memory in reach of the vCPU without calls into the device, `videoMemoryBytes` long. */
  readonly videoMemory?: Vram;
  /** Where in guest physical space it answers now; undefined: nowhere. */
  mapVideoMemory?(base: number | undefined): void;
}

export interface ProcessorOptions {
  memoryBytes: number;
  /** 0 in a machine without display. */
  videoMemoryBytes: number;
  /** The firmware's ROM, which ends at 4 GiB; the processor may keep a copy that it reads and runs without the bus. */
  rom?: Uint8Array | undefined;
  bus: SystemBus;
  /** What CPUID shows. */
  model?: CpuModelName;
  /** What each vCPU has to itself, in order. */
  vcpus: readonly { platform: Platform; interrupts: InterruptSource }[];
}

export type ProcessorFactory<P extends Processor = Processor> = (options: ProcessorOptions) => P;

export interface MachineParts extends CardParts {
  memoryBytes: number;
  /** The i440FX board by default. */
  chipset?: ChipsetName;
  /** 1 by default, up to VCPUS_MAX. */
  vcpuCount?: number;
  createProcessor: ProcessorFactory;
  firmware: Firmware;
  /** Host inputs; undefined runs in instruction time, one nanosecond each, fully determined by the machine's state. */
  inputs?: Inputs;
  serial: readonly [ByteSink, ByteSink];
  /** 16 bytes that tell this machine from its copies; another one than a restored state's is announced to the guest. */
  generationId?: Uint8Array | undefined;
  /** What the real-time clock shows beside UTC, in milliseconds; 0 by default. */
  rtcZoneMs?: number | undefined;
  /** Cards beside the standard ones. */
  extraCards?: readonly PciCard[];
  log?: (message: string) => void;
}

type SliceState = "running" | "halted" | "shutdown" | "reset" | "poweroff";

export interface Slice {
  state: SliceState;
  /** While halted: virtual time at which the machine wants to run again by itself. */
  nextDeadlineNs: bigint | undefined;
}

export class Machine {
  readonly clock: MachineClock;
  readonly inputs: InputQueue;
  readonly bus = new SystemBus();
  readonly board: Board;
  readonly vcpus: readonly Vcpu[];
  /** The bootstrap processor. */
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly memoryBytes: number;
  readonly #firmware: Firmware;
  readonly #chipset: ChipsetModel;
  readonly #cards: StandardCards;
  readonly #hands: Hands;
  readonly #budget: Budget;
  readonly #scheduler: VcpuScheduler;
  readonly #instructionTime: boolean;
  #request: "reset" | "poweroff" | undefined;
  /** The firmware starts when nothing that a reset cut off reads or writes memory any more. */
  #startsWhenDrained = false;
  /** Pieces of host work that the guest may be polling for. */
  #awaited = 0;

  constructor(parts: MachineParts) {
    const { memoryBytes, vcpuCount = 1 } = parts;
    assert(
      memoryBytes >= MEMORY_MAP.RAM_MIN_BYTES && memoryBytes <= MEMORY_MAP.RAM_MAX_BYTES && memoryBytes % 4096 === 0,
      "memory size in range",
    );
    assert(vcpuCount >= 1 && vcpuCount <= VCPUS_MAX, "number of vCPUs in range");
    this.memoryBytes = memoryBytes;
    this.#firmware = parts.firmware;
    this.#instructionTime = parts.inputs === undefined;
    this.inputs = new InputQueue((event) => this.#apply(event));
    // Closures below look at `this.#scheduler` when they run, not now: processor and board need each other.
    const inputs = parts.inputs ?? deterministicInputs(() => this.#scheduler.retired);
    this.clock = new MachineClock(() => inputs.monotonicNs());
    const wallInputs = parts.inputs ?? deterministicInputs(() => this.clock.nowNs());
    this.clock.onEarlierDeadline = () => this.#scheduler.requestExit();
    const processor = parts.createProcessor({
      memoryBytes,
      videoMemoryBytes: parts.video ? (parts.video.memoryBytes ?? VRAM_DEFAULT_BYTES) : 0,
      rom: parts.firmware.rom,
      bus: this.bus,
      vcpus: Array.from({ length: vcpuCount }, (_, index) => ({
        platform: this.#platform(wallInputs, index),
        interrupts: {
          hasInterrupt: () => this.#lapic(index).hasInterrupt(),
          acknowledge: () => this.#lapic(index).acknowledge(),
        },
      })),
    });
    this.vcpus = processor.vcpus;
    this.vcpu = processor.vcpus[0] as Vcpu;
    this.#scheduler = new VcpuScheduler(this.vcpus);
    this.memory = processor.memory;
    this.bus.onMmioChange = (base, handler, mapped) => {
      if (handler instanceof VramAperture) processor.mapVideoMemory?.(mapped ? base : undefined);
    };
    this.#chipset = chipsetModel(parts.chipset ?? "i440fx");
    this.#cards = new StandardCards(parts, parts.firmware, this.#chipset);
    const limit = new RateLimit(20);
    this.board = new Board({
      services: {
        bus: this.bus,
        clock: this.clock,
        memory: this.memory,
        videoMemory: processor.videoMemory,
        inputs: wallInputs,
        power: {
          requestReset: () => this.#requestPower("reset"),
          requestPowerOff: () => this.#requestPower("poweroff"),
        },
        awaitHost: () => this.#awaitHost(),
        isIdle: () => !this.vcpus.some(({ runnable }) => runnable),
        deliver: (apply) => {
          this.inputs.deliver(apply);
          // A device may get its answer at once, as from a network that lives in this process: the guest shall not wait out its slice.
          this.#scheduler.requestExit();
        },
        warn: (message) => {
          if (limit.allows(this.clock.nowNs())) parts.log?.(message);
        },
      },
      memoryBytes,
      chipset: this.#chipset,
      floppyType: parts.floppy && floppyGeometry(parts.floppy.backend.sizeBytes)?.driveType,
      generationId: parts.generationId,
      rtcZoneMs: parts.rtcZoneMs,
      serial: parts.serial,
      cards: [...this.#cards.cards, ...(parts.extraCards ?? [])],
      isaCards: this.#cards.isaCards,
      processors: this.vcpus,
      running: () => this.#scheduler.current,
      tscOffsets: this.vcpus.map(
        ({ state }) =>
          () =>
            BigInt.asIntN(64, state.get(STATE.tscOffset)),
      ),
    });
    this.#hands = new Hands(this.#cards, this.board.ps2);
    this.#budget = new Budget(this.#instructionTime);
  }

  /** Resets everything and starts the firmware. The clock stays as it is: paused in a new machine. */
  powerOn(): void {
    this.reset();
  }

  /** Hard reset: devices, processor, firmware. RAM keeps what firmware does not overwrite, as on hardware. */
  reset(): void {
    this.#request = undefined;
    const nowNs = this.clock.nowNs();
    for (const device of this.board.devices) device.reset();
    for (const vcpu of this.vcpus) vcpu.reset();
    this.#scheduler.restoreTurn(0);
    // The instruction counters, which are the clock's source in instruction time, have started over.
    this.clock.setNowNs(nowNs);
    this.#startsWhenDrained = this.board.devices.some((device) => device.draining);
    if (!this.#startsWhenDrained) this.#startFirmware();
  }

  #startFirmware(): void {
    this.#startsWhenDrained = false;
    this.#firmware.start({
      vcpu: this.vcpu,
      vcpus: this.vcpus,
      memory: this.memory,
      bus: this.bus,
      pci: this.board.pci,
      chipset: this.#chipset,
    });
    this.vcpu.interruptChanged();
  }

  pause(): void {
    this.clock.pause();
  }

  resume(): void {
    this.clock.resume();
  }

  /** What a user does; applied when the next slice starts. */
  post(event: InputEvent): void {
    this.inputs.post(event);
  }

  /** Presses the power button; the guest decides what comes of it. */
  powerButton(): void {
    this.post({ kind: "power-button" });
  }

  /** Plugs a virtio disk into a machine that is on; its slot is free. */
  plugDisk(disk: DiskPart, slot: number): void {
    this.board.plug(diskCard(disk, slot));
    this.#wake();
  }

  /** Makes a SCSI disk of a machine that is on; the machine has a controller, and its target is free. */
  plugScsiDisk(disk: DiskPart, slot: number): void {
    this.scsi?.plug(scsiDisk(disk, slot));
    this.#wake();
  }

  plugAdapter(adapter: NetworkPart, slot: number): void {
    this.board.plug(adapterCard(adapter, slot));
    this.#wake();
  }

  /**
   * Shares these folders instead of those before, also with a machine that is on; its first ones bring the device that carries them, which
   * stays. Settles when files in folders that are gone are closed.
   */
  async shareFolders(shares: readonly FileShare[]): Promise<void> {
    const { p9 } = this.#cards;
    if (p9) return p9.setShares(shares);
    if (shares.length === 0) return;
    this.board.plug(this.#cards.sharedFolders(shares));
    this.#wake();
  }

  /** Asks the guest to let go of a device, or takes it away (`board.onRemoved` tells when it is gone). False: there is none. */
  unplug(name: string, force: boolean): boolean {
    const found = this.board.unplug(name, force);
    this.#wake();
    return found;
  }

  /** A machine that sleeps looks at what has happened. */
  #wake(): void {
    this.inputs.deliver(() => {});
  }

  /** Runs for about `maxNs` of virtual time, or until the machine halts or wants something of the host. */
  runSlice(maxNs: bigint): Slice {
    assert(!this.clock.paused, "a paused machine does not run");
    const startNs = this.clock.nowNs();
    this.board.kvmClock.catchUp();
    for (;;) {
      this.inputs.drain();
      if (this.#startsWhenDrained) {
        // The end of a transfer is an input, which wakes the machine.
        if (this.board.devices.some((device) => device.draining)) return { state: "halted", nextDeadlineNs: undefined };
        this.#startFirmware();
      }
      this.clock.fireDue();
      if (this.#request !== undefined) return { state: this.#request, nextDeadlineNs: undefined };
      const nowNs = this.clock.nowNs();
      const endNs = startNs + (this.#awaited > 0 && maxNs > AWAITING_SLICE_NS ? AWAITING_SLICE_NS : maxNs);
      if (nowNs >= endNs) return { state: "running", nextDeadlineNs: undefined };
      const nextNs = this.#earliest(endNs);
      const before = this.#scheduler.retired;
      const exit = this.#scheduler.run(this.#instructions(nextNs - nowNs));
      if (exit === "shutdown") return { state: "shutdown", nextDeadlineNs: undefined };
      if (exit === "halted") {
        if (!this.#canSleep()) continue;
        const deadlineNs = this.clock.nextDeadlineNs;
        if (!this.#instructionTime || deadlineNs === undefined) return { state: "halted", nextDeadlineNs: deadlineNs };
        // In instruction time a sleep takes no time of the host.
        this.clock.setNowNs(deadlineNs < endNs ? deadlineNs : endNs);
      } else {
        this.#budget.observe(this.#scheduler.retired - before, this.clock.nowNs() - nowNs);
      }
    }
  }

  /** Call between slices. Pending inputs are applied first, so that none is lost. */
  save(): MachineState {
    this.inputs.drain();
    // Whoever saves has let the disks come to rest.
    if (this.#startsWhenDrained) this.#startFirmware();
    const devices: MachineState["devices"] = {};
    for (const device of this.board.devices) {
      devices[device.name] = { version: device.stateVersion, state: device.save() };
    }
    return {
      version: MACHINE_STATE_VERSION,
      memoryBytes: this.memoryBytes,
      nowNs: this.clock.nowNs(),
      cpus: this.vcpus.map((vcpu) => saveCpu(vcpu.state)),
      turn: this.#scheduler.current,
      devices,
    };
  }

  /**
   * Takes over a saved state, which may be hostile; RAM must have been restored or made to come by itself. The machine is paused
   * afterwards. Throws AppError INVALID_FILE or VERSION_MISMATCH naming the field; nothing has changed then.
   */
  restore(untrusted: unknown): void {
    const state = checkMachineState(untrusted, { memoryBytes: this.memoryBytes, processors: this.vcpus.length });
    const checked = this.board.devices.map((device) => [device, checkDeviceState(state, device)] as const);
    this.pause();
    this.#request = undefined;
    for (const [index, vcpu] of this.vcpus.entries()) restoreCpu(vcpu.state, state.cpus[index] as CpuSavedState);
    this.#scheduler.restoreTurn(state.turn);
    // In instruction time the counters just restored are the clock's source.
    this.clock.setNowNs(state.nowNs);
    for (const [device, deviceState] of checked) {
      if (deviceState === undefined) device.reset();
      else device.restore(deviceState);
    }
    this.board.generationId.announce();
    for (const vcpu of this.vcpus) {
      vcpu.invalidateAll();
      vcpu.interruptChanged();
    }
  }

  dispose(): void {
    this.board.dispose();
  }

  /** What the guest shows; undefined without display adapter. */
  get display(): DisplaySource | undefined {
    return this.#cards.display;
  }

  /** Lights of the keyboard that the guest uses: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  get leds(): number {
    return this.#hands.leds;
  }

  /** Where SCSI disks are plugged in and out while the guest runs; undefined without a controller. */
  get scsi(): VirtioScsi | undefined {
    return this.#cards.scsi;
  }

  /** Where disks are plugged in and out while the guest runs; undefined without USB. */
  get usb(): UsbPorts | undefined {
    return this.#cards.usb;
  }

  /** Settles when nothing is under way in shared folders; the guest stands still meanwhile. */
  async drainSharedFolders(): Promise<void> {
    await this.#cards.p9?.drain();
  }

  /** Whether the monitor can change its size while the guest runs. */
  get resizable(): boolean {
    return this.#cards.gpu !== undefined;
  }

  /** The paravirtual console, if the machine has one. */
  get console(): VirtioConsole | undefined {
    return this.#cards.console;
  }

  /** Instructions retired since reset, by all vCPUs. */
  get instructions(): bigint {
    return this.#scheduler.retired;
  }

  #lapic(index: number): Lapic {
    return this.board.lapics[index] as Lapic;
  }

  #platform(inputs: Inputs, index: number): Platform {
    return {
      readPort: (port, size) => this.bus.readPort(port, size),
      writePort: (port, size, value) => this.bus.writePort(port, size, value),
      readTsc: () => this.clock.nowNs(),
      random: (bytes) => inputs.random(bytes),
      pause: () => this.#scheduler.pause(),
      readTaskPriority: () => this.#lapic(index).taskPriority,
      writeTaskPriority: (value) => {
        this.#lapic(index).taskPriority = value;
      },
      setApicBase: (value) => this.#lapic(index).setApicBase(value),
      readX2apic: (number) => this.#lapic(index).readX2apic(number),
      writeX2apic: (number, value) => this.#lapic(index).writeX2apic(number, value),
      readTscDeadline: () => this.#lapic(index).deadlineNs,
      writeTscDeadline: (value) => {
        this.#lapic(index).deadlineNs = value;
      },
      clockRegisters: {
        read: (number) => this.board.kvmClock.readMsr(index, number),
        write: (number, value) => this.board.kvmClock.writeMsr(index, number, value),
        counterMoved: () => this.board.kvmClock.counterMoved(),
      },
    };
  }

  #apply(event: InputEvent): void {
    switch (event.kind) {
      case "key":
        this.#hands.key(event);
        break;
      case "pointer":
        this.#hands.pointer(event);
        break;
      case "serial":
        this.board.uarts[event.port].receive(event.bytes);
        break;
      case "resize":
        this.#cards.gpu?.resize(event);
        break;
      case "power-button":
        this.board.acpi.pressPowerButton();
        break;
    }
  }

  #awaitHost(): () => void {
    this.#awaited++;
    for (const vcpu of this.vcpus) vcpu.requestExit();
    return () => {
      this.#awaited--;
    };
  }

  #instructions(ns: bigint): number {
    const wanted = this.#budget.instructions(ns);
    return this.#awaited > 0 && !this.#instructionTime ? Math.min(wanted, AWAITING_INSTRUCTIONS) : wanted;
  }

  #requestPower(request: "reset" | "poweroff"): void {
    this.#request ??= request;
    this.#scheduler.requestExit();
  }

  #earliest(endNs: bigint): bigint {
    const deadlineNs = this.clock.nextDeadlineNs;
    return deadlineNs !== undefined && deadlineNs < endNs ? deadlineNs : endNs;
  }

  /** Nothing to do before the next deadline or input. */
  #canSleep(): boolean {
    if (this.#request !== undefined || !this.inputs.isEmpty) return false;
    const deadlineNs = this.clock.nextDeadlineNs;
    return deadlineNs === undefined || deadlineNs > this.clock.nowNs();
  }
}

export function createMachine(parts: MachineParts): Machine {
  return new Machine(parts);
}
