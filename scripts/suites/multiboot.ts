// Starts a Multiboot image (Multiboot Specification 0.6.96) in 32-bit protected mode, as QEMU's -kernel does: for test suites, which are
// small kernels of that kind. Not a way to boot machines of users.
//
//   0x0000_0000  interrupt vectors of real mode      0x0000_0500  their handlers
//   0x0000_1000  GDT      0x0000_2000  information    0x0000_2100  command line    0x0000_2800  memory map
//   behind the image      one module
import { PIC_MASTER_PORT } from "../../native-core/devices/pic/registers.ts";
import { setUpBoard } from "../../native-core/firmware/board-setup.ts";
import type { Firmware, FirmwareTarget } from "../../native-core/firmware/firmware.ts";
import { memoryRanges } from "../../native-core/firmware/memory-map.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";

const HANDLERS = 0x500;
const GDT = 0x1000;
const INFO = 0x2000;
const COMMAND_LINE = 0x2100;
const MEMORY_MAP = 0x2800;
const PAGE = 4096;

/** PUSH AX, end of interrupt, POP AX, IRET: what serves the timer. One IRET is behind it, for all else. */
const TIMER_HANDLER = Uint8Array.of(0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf);
const TIMER_VECTOR = 8;
const PIT = { COUNTER_0: 0x40, CONTROL: 0x43, SQUARE_WAVE: 0x36 } as const;
const ALL_BUT_TIMER = 0xfe;

/** In EAX: a Multiboot loader. */
const LOADER_MAGIC = 0x2bad_b002n;
const INFO_FLAGS = { memory: 1, commandLine: 4, modules: 8, memoryMap: 64 } as const;

const ELF_MAGIC = 0x464c_457f;
const PT_LOAD = 1;

/** fw_cfg keys that the suites read. */
const FW_CFG = { RAM_SIZE: 3, CPU_COUNT: 5, MAX_CPU_COUNT: 15 } as const;

export interface MultibootParts {
  /** A 32-bit ELF file. */
  readonly image: Uint8Array;
  readonly commandLine: string;
  readonly module: Uint8Array;
  readonly memoryBytes: number;
  readonly cpuCount: number;
}

export class MultibootLoader implements Firmware {
  readonly fwCfg: NonNullable<Firmware["fwCfg"]>;
  readonly #parts: MultibootParts;

  constructor(parts: MultibootParts) {
    this.#parts = parts;
    const count = Uint8Array.of(parts.cpuCount, 0);
    const ram = new Uint8Array(8);
    new DataView(ram.buffer).setBigUint64(0, BigInt(parts.memoryBytes), true);
    this.fwCfg = {
      items: new Map([
        [FW_CFG.RAM_SIZE, ram],
        [FW_CFG.CPU_COUNT, count],
        [FW_CFG.MAX_CPU_COUNT, count],
      ]),
      files: new Map(),
    };
  }

  start(target: FirmwareTarget): void {
    const { memory, vcpu } = target;
    setUpBoard(target);
    startTimer(target);
    const { entry, end } = this.#load(target);
    const moduleAt = Math.ceil(end / PAGE) * PAGE;
    memory.write(moduleAt, this.#parts.module);
    this.#writeInfo(target, moduleAt);

    memory.writeU64(GDT, 0n);
    memory.writeU64(GDT + 8, 0x00cf_9b00_0000_ffffn);
    memory.writeU64(GDT + 16, 0x00cf_9300_0000_ffffn);
    const { state } = vcpu;
    state.set(STATE.gdtBase, BigInt(GDT));
    state.set(STATE.gdtLimit, 23n);
    state.set(STATE.cr0, 0x11n);
    state.set(STATE.rip, BigInt(entry));
    state.flags = 2n;
    state.setGeneral(0, LOADER_MAGIC);
    state.setGeneral(3, BigInt(INFO));
    const flat = (name: "cs" | "ds", selector: bigint, attributes: bigint): void => {
      for (const segment of name === "cs" ? (["cs"] as const) : (["ds", "es", "ss", "fs", "gs"] as const)) {
        state.setSegment(segment, "selector", selector);
        state.setSegment(segment, "base", 0n);
        state.setSegment(segment, "limit", 0xffff_ffffn);
        state.setSegment(segment, "attributes", attributes);
      }
    };
    flat("cs", 8n, 0xc09bn);
    flat("ds", 16n, 0xc093n);
    state.set(STATE.codeMode, 4n);
    state.set(STATE.cpl, 0n);
    state.set(STATE.stackMask, 0xffff_ffffn);
    vcpu.invalidateAll();
  }

  #load({ memory }: FirmwareTarget): { entry: number; end: number } {
    const { image } = this.#parts;
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    if (view.getUint32(0, true) !== ELF_MAGIC || image[4] !== 1) throw new Error("not a 32-bit ELF file");
    const headers = view.getUint32(28, true);
    let end = 0;
    for (let n = 0; n < view.getUint16(44, true); n++) {
      const at = headers + n * view.getUint16(42, true);
      if (view.getUint32(at, true) !== PT_LOAD) continue;
      const [offset, address, fileBytes, bytes] = [4, 12, 16, 20].map((field) => view.getUint32(at + field, true)) as [
        number,
        number,
        number,
        number,
      ];
      memory.write(address, new Uint8Array(bytes));
      memory.write(address, image.subarray(offset, offset + fileBytes));
      end = Math.max(end, address + bytes);
    }
    return { entry: view.getUint32(24, true), end };
  }

  #writeInfo({ memory }: FirmwareTarget, moduleAt: number): void {
    const { commandLine, module, memoryBytes } = this.#parts;
    memory.write(COMMAND_LINE, new TextEncoder().encode(`${commandLine}\0`));
    const moduleList = INFO + 0x60;
    const ranges = memoryRanges(memoryBytes);
    const words: Record<number, number> = {
      0: INFO_FLAGS.memory | INFO_FLAGS.commandLine | INFO_FLAGS.modules | INFO_FLAGS.memoryMap,
      4: 640,
      8: memoryBytes / 1024 - 1024,
      16: COMMAND_LINE,
      20: module.length > 0 ? 1 : 0,
      24: moduleList,
      44: ranges.length * 24,
      48: MEMORY_MAP,
    };
    for (let offset = 0; offset < 0x60; offset += 4) memory.writeU32(INFO + offset, words[offset] ?? 0);
    [moduleAt, moduleAt + module.length, COMMAND_LINE, 0].forEach((word, n) => {
      memory.writeU32(moduleList + n * 4, word);
    });
    ranges.forEach(({ base, length, type }, n) => {
      const at = MEMORY_MAP + n * 24;
      memory.writeU32(at, 20);
      memory.writeU64(at + 4, BigInt(base));
      memory.writeU64(at + 12, BigInt(length));
      memory.writeU32(at + 20, type);
    });
  }
}

/** A BIOS leaves the timer running, 18.2 times a second, and a handler in real mode for every vector. */
function startTimer({ bus, memory }: FirmwareTarget): void {
  memory.write(HANDLERS, TIMER_HANDLER);
  const idle = HANDLERS + TIMER_HANDLER.length - 1;
  for (let vector = 0; vector < 256; vector++) memory.writeU32(vector * 4, vector === TIMER_VECTOR ? HANDLERS : idle);
  bus.writePort(PIT.CONTROL, 1, PIT.SQUARE_WAVE);
  bus.writePort(PIT.COUNTER_0, 1, 0);
  bus.writePort(PIT.COUNTER_0, 1, 0);
  bus.writePort(PIC_MASTER_PORT + 1, 1, ALL_BUT_TIMER);
}
