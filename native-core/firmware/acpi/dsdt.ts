// What the board's DSDT declares (ACPI 6.4, chapters 6 and 9): the PCI root with its windows and interrupt routing, the ISA devices,
// the soft-off state, and which interrupt controller the guest uses.
import { ACPI_GPE, ACPI_PM_BYTES, ACPI_PM_PORT, ACPI_SLEEP_TYPE_S5 } from "../../devices/acpi/acpi-pm.ts";
import { HOT_PLUG_BYTES, HOT_PLUG_PORT } from "../../devices/acpi/hot-plug.ts";
import type { ChipsetModel } from "../../devices/chipset/models.ts";
import { GENERATION_ID_BASE } from "../../devices/generation-id/generation-id.ts";
import { HPET_BASE, HPET_BYTES } from "../../devices/hpet/registers.ts";
import { PS2_COMMAND_PORT, PS2_DATA_PORT, PS2_KEYBOARD_IRQ, PS2_MOUSE_IRQ } from "../../devices/ps2/registers.ts";
import { RTC_IRQ, RTC_PORT } from "../../devices/rtc/registers.ts";
import { UART_IRQS, UART_PORTS } from "../../devices/uart/registers.ts";
import * as aml from "./aml.ts";

export interface DsdtLayout {
  chipset: ChipsetModel;
  /** Configuration space in memory. */
  ecam: { base: number; length: number } | undefined;
  /** PCI memory window, inclusive. */
  pciMemory: { min: number; max: number };
  /** ISA interrupt each PIRQ wire is steered to while the guest uses the 8259 pair. */
  pirqIsaIrqs: readonly number[];
  /** I/O APIC pin of wire 0. */
  firstPirqPin: number;
  highestSlot: number;
  /** Slots that can be plugged while the machine runs. */
  hotPlugSlots: readonly number[];
}

/** The DSDT's body, without its table header. */
export function dsdtBody(layout: DsdtLayout): Uint8Array {
  return aml.concat(
    aml.name("\\PICM", aml.integer(0)),
    aml.method("\\_PIC", 1, aml.store(aml.ARG0, aml.path("\\PICM"))),
    aml.name("\\_S5", sleepPackage(ACPI_SLEEP_TYPE_S5)),
    aml.scope("\\_SB", pciRoot(layout), hpet(), generationId()),
    aml.scope(
      "\\_GPE",
      aml.method(gpeMethod(ACPI_GPE.GENERATION_ID), 0, aml.notify(aml.path("\\_SB.VGEN"), 0x80)),
      aml.method(gpeMethod(ACPI_GPE.PCI_HOT_PLUG), 0, aml.path("\\_SB.PCI0.PCNT")),
    ),
  );
}

function hpet(): aml.Aml {
  return isaDevice("HPET", "PNP0103", aml.fixedMemory({ base: HPET_BASE, length: HPET_BYTES }));
}

/** The identifier that changes when the machine is copied; guests know the device by its names (GenerationId). */
function generationId(): aml.Aml {
  return aml.device(
    "VGEN",
    aml.name("_HID", aml.string("VMGENCTR")),
    aml.name("_CID", aml.string("VM_Gen_Counter")),
    aml.name("_DDN", aml.string("VM_Gen_Counter")),
    // Low and high half of its guest physical address.
    aml.name("ADDR", aml.pack(aml.integer(GENERATION_ID_BASE), aml.integer(0))),
  );
}

/** Name of the method that an edge-triggered general-purpose event runs (5.6.4.1). */
const gpeMethod = (event: number): string => `_E${event.toString(16).toUpperCase().padStart(2, "0")}`;

/** PM1a and PM1b values; two reserved elements. */
function sleepPackage(type: number): aml.Aml {
  return aml.pack(aml.integer(type), aml.integer(type), aml.integer(0), aml.integer(0));
}

function pciRoot(layout: DsdtLayout): aml.Aml {
  return aml.device(
    "PCI0",
    // A PCI Express root is a PCI root to those who know no better.
    aml.name("_HID", aml.eisaId(layout.ecam ? "PNP0A08" : "PNP0A03")),
    ...(layout.ecam ? [aml.name("_CID", aml.eisaId("PNP0A03"))] : []),
    aml.name("_UID", aml.integer(0)),
    aml.name(
      "_CRS",
      aml.resources(
        aml.busNumbers({ min: 0, max: 0xff }),
        aml.ioPorts(0xcf8, 8),
        aml.ioWindow({ min: 0x0000, max: 0x0cf7 }),
        aml.ioWindow({ min: 0x0d00, max: 0xffff }),
        aml.memoryWindow({ min: 0xa0000, max: 0xbffff }),
        aml.memoryWindow(layout.pciMemory),
      ),
    ),
    aml.name(
      "PRTA",
      routing(layout, (wire) => layout.firstPirqPin + wire),
    ),
    aml.name(
      "PRTP",
      routing(layout, (wire) => layout.pirqIsaIrqs[wire] ?? 0),
    ),
    aml.method("_PRT", 0, aml.when(aml.path("\\PICM"), aml.giveBack(aml.path("PRTA")), aml.giveBack(aml.path("PRTP")))),
    isaBridge(layout),
    ...hotPlugSlots(layout.hotPlugSlots),
  );
}

/** Values that a slot's device is notified with (5.6.6): look for a device; let it go. */
const NOTIFY_CHECK = 1;
const NOTIFY_EJECT = 3;

/** Slots whose devices come and go, and the method that tells which (hot-plug.ts). */
function hotPlugSlots(slots: readonly number[]): aml.Aml[] {
  const nameOf = (slot: number): string => `S${slot.toString(16).toUpperCase().padStart(2, "0")}`;
  const bit = (slot: number): aml.Aml => aml.integer((1 << slot) >>> 0);
  return [
    aml.portFields("PCST", HOT_PLUG_PORT, ["PCIU", "PCID", "PCIE"]),
    ...slots.map((slot) =>
      aml.device(
        nameOf(slot),
        aml.name("_ADR", aml.integer(slot << 16)),
        aml.name("_SUN", aml.integer(slot)),
        aml.method("_EJ0", 1, aml.store(bit(slot), aml.path("PCIE"))),
      ),
    ),
    aml.method(
      "PCNT",
      0,
      aml.store(aml.path("PCIU"), aml.LOCAL0),
      aml.store(aml.path("PCID"), aml.LOCAL1),
      ...slots.flatMap((slot) => [
        aml.given(aml.and(aml.LOCAL0, bit(slot)), aml.notify(aml.path(nameOf(slot)), NOTIFY_CHECK)),
        aml.given(aml.and(aml.LOCAL1, bit(slot)), aml.notify(aml.path(nameOf(slot)), NOTIFY_EJECT)),
      ]),
    ),
  ];
}

/** _PRT entries (6.2.13): slot and pin to a global system interrupt, hard-wired. */
function routing(layout: DsdtLayout, interruptOf: (wire: number) => number): aml.Aml {
  const entries: aml.Aml[] = [];
  for (let slot = 1; slot <= layout.highestSlot; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const address = slot * 0x10000 + 0xffff;
      const interrupt = interruptOf(layout.chipset.wireOf(slot, pin + 1));
      entries.push(aml.pack(aml.integer(address), aml.integer(pin), aml.integer(0), aml.integer(interrupt)));
    }
  }
  return aml.pack(...entries);
}

function isaBridge(layout: DsdtLayout): aml.Aml {
  return aml.device(
    "ISA",
    aml.name("_ADR", aml.integer(layout.chipset.isaBridgeSlot << 16)),
    isaDevice("RTC", "PNP0B00", aml.ioPorts(RTC_PORT, 2), aml.irq(RTC_IRQ)),
    isaDevice(
      "KBD",
      "PNP0303",
      aml.ioPorts(PS2_DATA_PORT, 1),
      aml.ioPorts(PS2_COMMAND_PORT, 1),
      aml.irq(PS2_KEYBOARD_IRQ),
    ),
    isaDevice("MOU", "PNP0F13", aml.irq(PS2_MOUSE_IRQ)),
    ...UART_PORTS.map((port, index) => serialPort(index, port, UART_IRQS[index] as number)),
    // What the board itself occupies, so that nobody puts anything there.
    isaDevice(
      "RES",
      "PNP0C02",
      aml.ioPorts(0x92, 1),
      aml.ioPorts(0x4d0, 2),
      aml.ioPorts(ACPI_PM_PORT, ACPI_PM_BYTES),
      aml.ioPorts(HOT_PLUG_PORT, HOT_PLUG_BYTES),
      ...(layout.ecam ? [aml.fixedMemory(layout.ecam)] : []),
    ),
  );
}

function isaDevice(at: string, hid: string, ...descriptors: aml.Aml[]): aml.Aml {
  return aml.device(at, aml.name("_HID", aml.eisaId(hid)), aml.name("_CRS", aml.resources(...descriptors)));
}

function serialPort(index: number, port: number, irq: number): aml.Aml {
  return aml.device(
    `COM${index + 1}`,
    aml.name("_HID", aml.eisaId("PNP0501")),
    aml.name("_UID", aml.integer(index + 1)),
    aml.name("_CRS", aml.resources(aml.ioPorts(port, 8), aml.irq(irq))),
  );
}
