// Direct boot of a Linux kernel, without firmware or boot loader (Linux Documentation/arch/x86/boot.rst, "64-bit BOOT PROTOCOL" and, for
// kernels of 32 bits, "32-bit BOOT PROTOCOL", which goes without page tables).
//
//   0x0000_1000  GDT with __BOOT_CS (0x10) and __BOOT_DS (0x18)
//   0x0000_2000  boot_params
//   0x0000_3000  page tables: 4 GiB mapped to themselves by 2 MiB pages (6 pages)
//   0x0002_0000  command line
//   0x000F_0000  ACPI tables
//   preferred address (16 MiB)  kernel, entered at + 0x200 (32 bits: at its start)
//   top of RAM   initrd
import { AppError } from "../common/errors.ts";
import type { CpuState } from "../cpu/cpu-state.ts";
import type { GuestMemory } from "../devices/device.ts";
import { STATE } from "../x86/state-layout.ts";
import { setUpBoard } from "./board-setup.ts";
import type { Firmware, FirmwareTarget } from "./firmware.ts";
import { type LinuxHeader, parseLinuxHeader, SETUP } from "./linux-header.ts";
import { memoryRanges } from "./memory-map.ts";

const GDT = 0x1000;
const BOOT_PARAMS = 0x2000;
const BOOT_PARAMS_BYTES = 0x1000;
const PAGE_TABLES = 0x3000;
const COMMAND_LINE = 0x20000;
const COMMAND_LINE_LIMIT = 0x10000;
const ENTRY_64 = 0x200;
const PAGE = 4096;

/** Offsets in boot_params (Linux arch/x86/include/uapi/asm/bootparam.h). */
const PARAMS = { SCREEN_INFO: 0x000, ACPI_RSDP: 0x070, E820_COUNT: 0x1e8, E820: 0x2d0 } as const;
/** screen_info: an 80 x 25 VGA text screen, cursor below the first line. */
const SCREEN = {
  CURSOR_Y: 0x01,
  MODE: 0x06,
  COLUMNS: 0x07,
  EGA_BX: 0x0a,
  LINES: 0x0e,
  IS_VGA: 0x0f,
  POINTS: 0x10,
} as const;
const UNKNOWN_LOADER = 0xff;

const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
/** Descriptor bits 40..55: present, ring 0, 4 GiB; code (execute, read, accessed) of 64 or 32 bits, data (read, write, accessed). */
const CODE_ATTRIBUTES = { 64: 0xaf9b, 32: 0xcf9b } as const;
const DATA_ATTRIBUTES = 0xcf93;
const CR0_PE_ET_NE = 0x31n;
const CR0_PG = 0x8000_0000n;
const CR4_PAE = 0x20n;
/** IA32_MTRR_DEF_TYPE (SDM 3A 12.11.2.1). */
const MTRR_ENABLE = 0x800n;
const MTRR_WRITE_BACK = 6n;
const EFER_LME_LMA = 0x500n;
const PCI_CLASS_VGA = 0x0300;

interface BootFile {
  /** As the user named it, for messages. */
  file: string;
  bytes: Uint8Array;
}

export interface LinuxBootParts {
  kernel: BootFile;
  initrd?: BootFile | undefined;
  commandLine: string;
  memoryBytes: number;
}

export class LinuxBoot implements Firmware {
  readonly kernelVersion: string;
  readonly #header: LinuxHeader;
  readonly #parts: LinuxBootParts;
  readonly #commandLine: Uint8Array;
  readonly #initrdAddress: number;

  /** Checks everything that can be wrong with the files; throws AppError naming file and field. */
  constructor(parts: LinuxBootParts) {
    this.#parts = parts;
    this.#header = parseLinuxHeader(parts.kernel.bytes, parts.kernel.file);
    this.kernelVersion = this.#header.kernelVersion;
    this.#commandLine = new TextEncoder().encode(`${parts.commandLine}\0`);
    const longest = Math.min(this.#header.commandLineMax, COMMAND_LINE_LIMIT - 1);
    if (this.#commandLine.length - 1 > longest) {
      throw new AppError(
        "INVALID_CONFIG",
        `the kernel command line is longer than the ${longest} bytes this kernel takes`,
        {
          field: "boot.commandLine",
          consequence: "The machine was not started.",
          remedy: "Shorten the command line.",
        },
      );
    }
    this.#initrdAddress = this.#placeInitrd();
  }

  start(target: FirmwareTarget): void {
    const { memory, vcpu } = target;
    const rsdpAddress = setUpBoard(target);
    memory.write(this.#header.loadAddress, this.#header.payload);
    if (this.#parts.initrd) memory.write(this.#initrdAddress, this.#parts.initrd.bytes);
    memory.write(COMMAND_LINE, this.#commandLine);
    memory.write(BOOT_PARAMS, this.#bootParams(rsdpAddress, hasVga(target)));
    const code = CODE_ATTRIBUTES[this.#header.is64Bit ? 64 : 32];
    writeGdt(memory, code);
    // As a BIOS leaves all processors: memory is write-back. With MTRRs off Linux gives up the PAT as well.
    for (const { state } of target.vcpus) state.set(STATE.mtrrDefaultType, MTRR_ENABLE | MTRR_WRITE_BACK);
    enterKernel(vcpu.state, code);
    if (this.#header.is64Bit) {
      writePageTables(memory);
      enterLongMode(vcpu.state);
    }
    vcpu.state.set(STATE.rip, BigInt(this.#header.loadAddress + (this.#header.is64Bit ? ENTRY_64 : 0)));
    vcpu.invalidateAll();
  }

  /** As high as kernel and RAM allow. */
  #placeInitrd(): number {
    const { initrd, memoryBytes, kernel } = this.#parts;
    const kernelEnd = this.#header.loadAddress + this.#header.initSizeBytes;
    const initrdBytes = initrd?.bytes.length ?? 0;
    const top = Math.min(memoryBytes, this.#header.initrdMax + 1, 0x7fffffff);
    const address = Math.floor((top - initrdBytes) / PAGE) * PAGE;
    if (kernelEnd > memoryBytes || (initrd && address < kernelEnd)) {
      const neededMib = Math.ceil((kernelEnd + initrdBytes) / (1 << 20));
      throw new AppError(
        "INVALID_CONFIG",
        `the kernel${initrd ? " and its initrd" : ""} need ${neededMib} MiB to start`,
        {
          file: initrd && kernelEnd <= memoryBytes ? initrd.file : kernel.file,
          field: "memoryMiB",
          consequence: "The machine was not started.",
          remedy: `Give the machine at least ${neededMib} MiB of memory.`,
        },
      );
    }
    return address;
  }

  #bootParams(rsdpAddress: number, vga: boolean): Uint8Array {
    const params = new Uint8Array(BOOT_PARAMS_BYTES);
    const view = new DataView(params.buffer);
    params.set(this.#header.setup, SETUP.START);
    params[SETUP.LOADER_TYPE] = UNKNOWN_LOADER;
    view.setUint32(SETUP.COMMAND_LINE, COMMAND_LINE, true);
    if (this.#parts.initrd) {
      view.setUint32(SETUP.RAMDISK_IMAGE, this.#initrdAddress, true);
      view.setUint32(SETUP.RAMDISK_SIZE, this.#parts.initrd.bytes.length, true);
    }
    view.setBigUint64(PARAMS.ACPI_RSDP, BigInt(rsdpAddress), true);
    const ranges = memoryRanges(this.#parts.memoryBytes);
    params[PARAMS.E820_COUNT] = ranges.length;
    for (const [index, range] of ranges.entries()) {
      const at = PARAMS.E820 + index * 20;
      view.setBigUint64(at, BigInt(range.base), true);
      view.setBigUint64(at + 8, BigInt(range.length), true);
      view.setUint32(at + 16, range.type, true);
    }
    if (vga) writeScreenInfo(params);
    return params;
  }
}

function hasVga({ pci }: FirmwareTarget): boolean {
  return [...pci.functions].some(([, , pciFunction]) => pciFunction.readConfig(0x0a, 2) === PCI_CLASS_VGA);
}

function writeScreenInfo(params: Uint8Array): void {
  const at = (offset: number) => PARAMS.SCREEN_INFO + offset;
  params[at(SCREEN.CURSOR_Y)] = 1;
  params[at(SCREEN.MODE)] = 3;
  params[at(SCREEN.COLUMNS)] = 80;
  params[at(SCREEN.EGA_BX)] = 3;
  params[at(SCREEN.LINES)] = 25;
  params[at(SCREEN.IS_VGA)] = 1;
  params[at(SCREEN.POINTS)] = 16;
}

/** Page map, page directory pointers, then four page directories (SDM 3A 4.5). */
function writePageTables(memory: GuestMemory): void {
  const present = 0x03n;
  const large = 0x83n;
  const tables = new BigUint64Array((6 * PAGE) / 8);
  tables[0] = BigInt(PAGE_TABLES + PAGE) | present;
  for (let gib = 0; gib < 4; gib++) tables[512 + gib] = BigInt(PAGE_TABLES + (2 + gib) * PAGE) | present;
  for (let index = 0; index < 2048; index++) tables[1024 + index] = (BigInt(index) << 21n) | large;
  memory.write(PAGE_TABLES, new Uint8Array(tables.buffer));
}

function writeGdt(memory: GuestMemory, code: number): void {
  const descriptor = (attributes: number) => (BigInt(attributes) << 40n) | 0xffffn;
  const entries = BigUint64Array.of(0n, 0n, descriptor(code), descriptor(DATA_ATTRIBUTES));
  memory.write(GDT, new Uint8Array(entries.buffer));
}

/** 64-bit mode on top of what `enterKernel` made. */
function enterLongMode(state: CpuState): void {
  state.set(STATE.cr0, CR0_PE_ET_NE | CR0_PG);
  state.set(STATE.cr3, BigInt(PAGE_TABLES));
  state.set(STATE.cr4, CR4_PAE);
  state.set(STATE.efer, EFER_LME_LMA);
  state.set(STATE.codeMode, 8n);
  state.set(STATE.stackMask, 0xffffffffffffffffn);
}

/** Registers and flat segments in 32-bit protected mode. */
function enterKernel(state: CpuState, code: number): void {
  for (let register = 0; register < 16; register++) state.setGeneral(register, 0n);
  const RSP = 4;
  const RSI = 6;
  state.setGeneral(RSP, BigInt(BOOT_PARAMS));
  state.setGeneral(RSI, BigInt(BOOT_PARAMS));
  state.flags = 2n;
  state.set(STATE.cr0, CR0_PE_ET_NE);
  state.set(STATE.gdtBase, BigInt(GDT));
  state.set(STATE.gdtLimit, 4n * 8n - 1n);
  setSegment(state, "cs", CODE_SELECTOR, code);
  for (const segment of ["ds", "es", "ss", "fs", "gs"] as const) {
    setSegment(state, segment, DATA_SELECTOR, DATA_ATTRIBUTES);
  }
  state.set(STATE.codeMode, 4n);
  state.set(STATE.cpl, 0n);
  state.set(STATE.stackMask, 0xffff_ffffn);
  // As FNINIT and reset of MXCSR leave them.
  state.set(STATE.x87Control, 0x37fn);
  state.set(STATE.x87Status, 0n);
  state.set(STATE.x87Tag, 0xffffn);
  state.set(STATE.mxcsr, 0x1f80n);
}

function setSegment(
  state: CpuState,
  segment: "cs" | "ds" | "es" | "ss" | "fs" | "gs",
  selector: number,
  attributes: number,
): void {
  state.setSegment(segment, "selector", BigInt(selector));
  state.setSegment(segment, "base", 0n);
  state.setSegment(segment, "limit", 0xffffffffn);
  state.setSegment(segment, "attributes", BigInt(attributes));
}
