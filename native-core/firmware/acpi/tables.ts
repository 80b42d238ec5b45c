// The ACPI tables of the board (ACPI 6.4, 5.2), laid out for one place in guest memory:
//
//   RSDP -> XSDT -> FADT -> DSDT, FACS
//                -> MADT
//                -> HPET
//                -> MCFG, on boards that have configuration space in memory
import { ACPI_GPE_BYTES, ACPI_PM, ACPI_PM_PORT, ACPI_SCI_IRQ } from "../../devices/acpi/acpi-pm.ts";
import { CAPABILITIES, HPET_BASE } from "../../devices/hpet/registers.ts";
import { IOAPIC_BASE } from "../../devices/ioapic/ioapic.ts";
import { LAPIC_BASE } from "../../devices/lapic/registers.ts";
import { RTC } from "../../devices/rtc/registers.ts";
import { type DsdtLayout, dsdtBody } from "./dsdt.ts";

const HEADER_BYTES = 36;
const RSDP_BYTES = 36;
const FADT_BYTES = 244;
const FACS_BYTES = 64;
const ALIGNMENT = 64;
const OEM_ID = "TERRA ";
const OEM_TABLE_ID = "TERRARIU";
const CREATOR_ID = "TERR";

const FADT = {
  FACS: 36,
  DSDT: 40,
  SCI: 46,
  PM1A_EVENT: 56,
  PM1A_CONTROL: 64,
  PM_TIMER: 76,
  GPE0: 80,
  PM1_EVENT_LENGTH: 88,
  PM1_CONTROL_LENGTH: 89,
  PM_TIMER_LENGTH: 91,
  GPE0_LENGTH: 92,
  C2_LATENCY: 96,
  C3_LATENCY: 98,
  CENTURY: 108,
  BOOT_ARCHITECTURE: 109,
  FLAGS: 112,
  RESET_REGISTER: 116,
  RESET_VALUE: 128,
  X_FACS: 132,
  X_DSDT: 140,
  X_PM1A_EVENT: 148,
  X_PM1A_CONTROL: 172,
  X_PM_TIMER: 208,
  X_GPE0: 220,
} as const;
/** WBINVD works; C1 is there; sleep button absent; RTC wake not in fixed space; timer is 24 bits; reset register supported. */
const FADT_FLAGS = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  SLEEP_BUTTON: 1 << 5,
  FIX_RTC: 1 << 6,
  RESET_REGISTER: 1 << 10,
} as const;
/** Legacy devices on the ISA bus, and an 8042. */
const BOOT_ARCHITECTURE = 0x0003;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 0x0e;
/** Latencies above these say that C2 and C3 are not there. */
const NO_C2 = 101;
const NO_C3 = 1001;

/** The shortest period of the HPET that loses no interrupt, in ticks: 10 us. */
const HPET_MIN_TICKS = 1000;

const INTERRUPT_OVERRIDE = { CONFORMING: 0x00, LEVEL_HIGH: 0x0d } as const;

export interface AcpiTables {
  /** To be copied to `base`; the RSDP comes first. */
  image: Uint8Array;
  rsdpAddress: number;
}

/** `base` is 16-byte aligned. */
export function buildAcpiTables(base: number, layout: DsdtLayout, vcpuCount: number): AcpiTables {
  const image = new ImageWriter(base);
  const rsdp = image.reserve(RSDP_BYTES);
  const facs = image.place(facsTable());
  const dsdt = image.place(table("DSDT", 2, dsdtBody(layout)));
  const fadt = image.place(fadtTable(facs, dsdt));
  const madt = image.place(madtTable(vcpuCount));
  const hpet = image.place(hpetTable());
  const described = [fadt, madt, hpet, ...(layout.ecam ? [image.place(mcfgTable(layout.ecam.base))] : [])];
  const xsdt = image.place(table("XSDT", 1, addresses(described, 8)));
  const rsdt = image.place(table("RSDT", 1, addresses(described, 4)));
  image.fill(rsdp, rsdpTable(rsdt, xsdt));
  return { image: image.bytes(), rsdpAddress: rsdp };
}

/** Tables one after another, each on a cache line of its own. */
class ImageWriter {
  readonly #base: number;
  #content = new Uint8Array(0);

  constructor(base: number) {
    this.#base = base;
  }

  reserve(length: number): number {
    const offset = Math.ceil(this.#content.length / ALIGNMENT) * ALIGNMENT;
    const grown = new Uint8Array(offset + length);
    grown.set(this.#content);
    this.#content = grown;
    return this.#base + offset;
  }

  fill(address: number, content: Uint8Array): void {
    this.#content.set(content, address - this.#base);
  }

  place(content: Uint8Array): number {
    const address = this.reserve(content.length);
    this.fill(address, content);
    return address;
  }

  bytes(): Uint8Array {
    return this.#content;
  }
}

function rsdpTable(rsdt: number, xsdt: number): Uint8Array {
  const content = new Uint8Array(RSDP_BYTES);
  const view = new DataView(content.buffer);
  text(content, 0, "RSD PTR ");
  text(content, 9, OEM_ID);
  content[15] = 2;
  view.setUint32(16, rsdt, true);
  view.setUint32(20, RSDP_BYTES, true);
  view.setBigUint64(24, BigInt(xsdt), true);
  // The first checksum covers what ACPI 1.0 defined.
  content[8] = checksum(content.subarray(0, 20));
  content[32] = checksum(content);
  return content;
}

function fadtTable(facs: number, dsdt: number): Uint8Array {
  const content = new Uint8Array(FADT_BYTES - HEADER_BYTES);
  const view = new DataView(content.buffer);
  const at = (offset: number) => offset - HEADER_BYTES;
  const events = ACPI_PM_PORT + ACPI_PM.EVENT_STATUS;
  const control = ACPI_PM_PORT + ACPI_PM.CONTROL;
  const timer = ACPI_PM_PORT + ACPI_PM.TIMER;
  view.setUint32(at(FADT.FACS), facs, true);
  view.setUint32(at(FADT.DSDT), dsdt, true);
  view.setUint16(at(FADT.SCI), ACPI_SCI_IRQ, true);
  view.setUint32(at(FADT.PM1A_EVENT), events, true);
  view.setUint32(at(FADT.PM1A_CONTROL), control, true);
  view.setUint32(at(FADT.PM_TIMER), timer, true);
  view.setUint32(at(FADT.GPE0), ACPI_PM_PORT + ACPI_PM.GPE_STATUS, true);
  view.setUint8(at(FADT.PM1_EVENT_LENGTH), 4);
  view.setUint8(at(FADT.PM1_CONTROL_LENGTH), 2);
  view.setUint8(at(FADT.PM_TIMER_LENGTH), 4);
  view.setUint8(at(FADT.GPE0_LENGTH), ACPI_GPE_BYTES);
  view.setUint16(at(FADT.C2_LATENCY), NO_C2, true);
  view.setUint16(at(FADT.C3_LATENCY), NO_C3, true);
  view.setUint8(at(FADT.CENTURY), RTC.CENTURY);
  view.setUint16(at(FADT.BOOT_ARCHITECTURE), BOOT_ARCHITECTURE, true);
  const flags = FADT_FLAGS.WBINVD | FADT_FLAGS.PROC_C1 | FADT_FLAGS.SLEEP_BUTTON | FADT_FLAGS.FIX_RTC;
  view.setUint32(at(FADT.FLAGS), flags | FADT_FLAGS.RESET_REGISTER, true);
  ioAddress(view, at(FADT.RESET_REGISTER), RESET_PORT, 1);
  view.setUint8(at(FADT.RESET_VALUE), RESET_VALUE);
  // X_FIRMWARE_CTRL must stay zero while FIRMWARE_CTRL is used (table 5.9).
  view.setBigUint64(at(FADT.X_DSDT), BigInt(dsdt), true);
  ioAddress(view, at(FADT.X_PM1A_EVENT), events, 4);
  ioAddress(view, at(FADT.X_PM1A_CONTROL), control, 2);
  ioAddress(view, at(FADT.X_PM_TIMER), timer, 4);
  ioAddress(view, at(FADT.X_GPE0), ACPI_PM_PORT + ACPI_PM.GPE_STATUS, ACPI_GPE_BYTES);
  return table("FACP", 3, content);
}

/** Generic address structure (5.2.3.2) in I/O space. */
function ioAddress(view: DataView, offset: number, port: number, bytes: 1 | 2 | 4): void {
  view.setUint8(offset, 1);
  view.setUint8(offset + 1, bytes * 8);
  view.setUint8(offset + 3, bytes === 4 ? 3 : bytes);
  view.setBigUint64(offset + 4, BigInt(port), true);
}

function facsTable(): Uint8Array {
  const content = new Uint8Array(FACS_BYTES);
  text(content, 0, "FACS");
  new DataView(content.buffer).setUint32(4, FACS_BYTES, true);
  content[32] = 1;
  return content;
}

/** Processors, one I/O APIC, the 8259 pair beside it, and how ISA interrupts differ from the identity (5.2.12). */
function madtTable(vcpuCount: number): Uint8Array {
  const entries: number[][] = [
    // Numbers of the processor and of its local APIC; enabled.
    ...Array.from({ length: vcpuCount }, (_, index) => [0, 8, index, index, ...dword(1)]),
    [1, 12, 0, 0, ...dword(IOAPIC_BASE), ...dword(0)],
    [2, 10, 0, 0, ...dword(2), ...word(INTERRUPT_OVERRIDE.CONFORMING)],
    [2, 10, 0, ACPI_SCI_IRQ, ...dword(ACPI_SCI_IRQ), ...word(INTERRUPT_OVERRIDE.LEVEL_HIGH)],
    // LINT1 is NMI on every processor.
    [4, 6, 0xff, ...word(0), 1],
  ];
  const pcatCompatible = 1;
  return table("APIC", 3, Uint8Array.from([...dword(LAPIC_BASE), ...dword(pcatCompatible), ...entries.flat()]));
}

/** The event timer's identity and place (IA-PC HPET 1.0a, 3.2.4). */
function hpetTable(): Uint8Array {
  const content = new Uint8Array(20);
  const view = new DataView(content.buffer);
  view.setUint32(0, CAPABILITIES, true);
  // Generic address in memory, 64 bits wide.
  view.setUint8(5, 64);
  view.setBigUint64(8, BigInt(HPET_BASE), true);
  view.setUint16(17, HPET_MIN_TICKS, true);
  return table("HPET", 1, content);
}

/** Where configuration space is in memory (PCI Firmware 3.2, 4.1.2): segment 0, all buses. */
function mcfgTable(base: number): Uint8Array {
  return table(
    "MCFG",
    1,
    Uint8Array.from([...dword(0), ...dword(0), ...dword(base), ...dword(0), 0, 0, 0, 0xff, ...dword(0)]),
  );
}

function addresses(tables: readonly number[], size: 4 | 8): Uint8Array {
  const content = new Uint8Array(tables.length * size);
  const view = new DataView(content.buffer);
  for (const [index, address] of tables.entries()) view.setUint32(index * size, address, true);
  return content;
}

/** A system description table: header with checksum (5.2.6), then `body`. */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const content = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(content.buffer);
  text(content, 0, signature);
  view.setUint32(4, content.length, true);
  content[8] = revision;
  text(content, 10, OEM_ID);
  text(content, 16, OEM_TABLE_ID);
  view.setUint32(24, 1, true);
  text(content, 28, CREATOR_ID);
  view.setUint32(32, 1, true);
  content.set(body, HEADER_BYTES);
  content[9] = checksum(content);
  return content;
}

/** The byte that makes the sum of all bytes zero. */
function checksum(content: Uint8Array): number {
  return -content.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function text(target: Uint8Array, offset: number, value: string): void {
  for (let index = 0; index < value.length; index++) target[offset + index] = value.charCodeAt(index);
}

const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const dword = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];
