// What a PC's firmware does to the board before it starts an operating system, for machines that boot without one:
// PCI resources and interrupt lines, interrupt controller wiring, ACPI tables.
import { HOT_PLUG_SLOTS } from "../devices/acpi/hot-plug.ts";
import { HOST_BRIDGE_SLOT, PIRQ_COUNT, PIRQ_ROUTE } from "../devices/chipset/chipset.ts";
import { PCIEXBAR, PCIEXBAR_ENABLE } from "../devices/chipset/ecam.ts";
import { type ChipsetModel, ECAM_BASE, ECAM_BYTES } from "../devices/chipset/models.ts";
import { DELIVERY, LAPIC, LAPIC_BASE, LVT, SVR_ENABLE } from "../devices/lapic/registers.ts";
import type { PciFunction } from "../devices/pci/pci-function.ts";
import { PCI, PCI_COMMAND } from "../devices/pci/registers.ts";
import { PIC_ELCR_PORT, PIC_MASTER_PORT, PIC_SLAVE_PORT } from "../devices/pic/registers.ts";
import type { DsdtLayout } from "./acpi/dsdt.ts";
import { buildAcpiTables } from "./acpi/tables.ts";
import type { FirmwareTarget } from "./firmware.ts";
import { MEMORY_MAP, PCI_PORT_WINDOW } from "./memory-map.ts";

/** ISA interrupts that PIRQA..PIRQD use while the guest runs on the 8259 pair: the ones with no ISA device. */
const PIRQ_ISA_IRQS = [10, 11, 10, 11] as const;
const FIRST_PIRQ_PIN = 16;
const SPURIOUS_VECTOR = 0xff;
const ACPI_TABLES = 0xf0000;

/** The board as ACPI describes it. A PC BIOS steers the PIRQ wires to the same interrupts. `ecamBase`: where firmware puts that window. */
export function boardLayout(chipset: ChipsetModel, ecamBase: number): DsdtLayout {
  const ecam = chipset.hasEcam ? { base: ecamBase, length: ECAM_BYTES } : undefined;
  return {
    chipset,
    ecam,
    pciMemory: {
      min: Math.max(MEMORY_MAP.PCI_WINDOW, ecam ? ecam.base + ecam.length : 0),
      max: MEMORY_MAP.PCI_WINDOW_END - 1,
    },
    pirqIsaIrqs: PIRQ_ISA_IRQS,
    firstPirqPin: FIRST_PIRQ_PIN,
    highestSlot: 31,
    hotPlugSlots: HOT_PLUG_SLOTS,
  };
}

/** Returns the address of the ACPI root pointer. */
export function setUpBoard(target: FirmwareTarget): number {
  setUpPci(target);
  setUpInterrupts(target);
  const layout = boardLayout(target.chipset, ECAM_BASE.bios);
  if (layout.ecam) {
    const bridge = target.pci.functionAt(HOST_BRIDGE_SLOT * 8);
    bridge?.writeConfig(PCIEXBAR, 4, (layout.ecam.base | PCIEXBAR_ENABLE) >>> 0);
  }
  const tables = buildAcpiTables(ACPI_TABLES, layout, target.vcpus.length);
  target.memory.write(ACPI_TABLES, tables.image);
  return tables.rsdpAddress;
}

/** Steers the PIRQ wires, and gives every BAR an address and every interrupt pin its line. */
function setUpPci({ pci, chipset }: FirmwareTarget): void {
  const functions = [...pci.functions];
  const isaBridge = pci.functionAt(chipset.isaBridgeSlot * 8);
  for (let wire = 0; wire < PIRQ_COUNT; wire++)
    isaBridge?.writeConfig(PIRQ_ROUTE + wire, 1, PIRQ_ISA_IRQS[wire] ?? 0x80);
  const windows = {
    memory: new AddressWindow(MEMORY_MAP.PCI_WINDOW, MEMORY_MAP.PCI_WINDOW_END),
    io: new AddressWindow(PCI_PORT_WINDOW.FIRST, PCI_PORT_WINDOW.LAST + 1),
  };
  for (const [slot, , pciFunction] of functions) {
    assignBars(pciFunction, windows);
    const pin = pciFunction.interruptPin;
    if (pin === 0) continue;
    pciFunction.writeConfig(PCI.INTERRUPT_LINE, 1, PIRQ_ISA_IRQS[chipset.wireOf(slot, pin)] ?? 0);
  }
}

/** Space handed out upwards, each piece aligned to its size. */
class AddressWindow {
  #next: number;
  readonly #end: number;

  constructor(start: number, end: number) {
    this.#next = start;
    this.#end = end;
  }

  take(sizeBytes: number): number | undefined {
    const base = Math.ceil(this.#next / sizeBytes) * sizeBytes;
    if (base + sizeBytes > this.#end) return undefined;
    this.#next = base + sizeBytes;
    return base;
  }
}

/** Sizes each BAR by writing all ones (PCI 3.0, 6.2.5.1), places it, and switches decoding on. */
function assignBars(pciFunction: PciFunction, windows: { memory: AddressWindow; io: AddressWindow }): void {
  let decode = 0;
  for (let index = 0; index < 6; index++) {
    const offset = PCI.BAR0 + index * 4;
    pciFunction.writeConfig(offset, 4, 0xffffffff);
    const probe = pciFunction.readConfig(offset, 4);
    pciFunction.writeConfig(offset, 4, 0);
    if (probe === 0) continue;
    const isIo = (probe & 1) !== 0;
    const sizeBytes = (~(probe & (isIo ? 0xfffffffc : 0xfffffff0)) + 1) >>> 0;
    const base = (isIo ? windows.io : windows.memory).take(sizeBytes);
    if (base !== undefined) {
      pciFunction.writeConfig(offset, 4, base);
      decode |= isIo ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY;
    }
    // The upper half of a 64-bit BAR stays zero.
    if ((probe & 7) === 4) index++;
  }
  if (decode !== 0) pciFunction.writeConfig(PCI.COMMAND, 2, decode);
}

/** 8259 pair at vectors 8 and 0x70 with everything masked, PCI inputs level-triggered, and passed through LINT0 (virtual wire). */
function setUpInterrupts({ bus }: FirmwareTarget): void {
  for (const [port, vectorBase, cascade] of [
    [PIC_MASTER_PORT, 0x08, 1 << 2],
    [PIC_SLAVE_PORT, 0x70, 2],
  ] as const) {
    bus.writePort(port, 1, 0x11);
    bus.writePort(port + 1, 1, vectorBase);
    bus.writePort(port + 1, 1, cascade);
    bus.writePort(port + 1, 1, 0x01);
    bus.writePort(port + 1, 1, 0xff);
  }
  const level = PIRQ_ISA_IRQS.reduce((mask, irq) => mask | (1 << irq), 1 << 9);
  bus.writePort(PIC_ELCR_PORT, 1, level & 0xff);
  bus.writePort(PIC_ELCR_PORT + 1, 1, level >>> 8);
  bus.writeMmio(LAPIC_BASE + LAPIC.SVR, 4, SVR_ENABLE | SPURIOUS_VECTOR);
  bus.writeMmio(LAPIC_BASE + LAPIC.LVT_LINT0, 4, DELIVERY.EXTINT << 8);
  bus.writeMmio(LAPIC_BASE + LAPIC.LVT_LINT1, 4, (DELIVERY.NMI << 8) & ~LVT.MASKED);
}
