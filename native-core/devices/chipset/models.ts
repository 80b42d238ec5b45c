// The boards there are, by their chipset: where its functions sit, and how interrupt pins reach its four PIRQ wires.
//
//   i440fx   440FX and PIIX3, a PC of 1996: PCI alone                 00.0 host bridge   01.0 ISA bridge   01.1 IDE   01.3 power management
//   q35      Q35 and ICH9, a PC of 2008: configuration space in memory   00.0 host bridge   1F.0 ISA bridge   1F.2 SATA
export type ChipsetName = "i440fx" | "q35";

interface Place {
  readonly slot: number;
  readonly functionNumber: number;
}

export interface ChipsetModel {
  readonly name: ChipsetName;
  readonly hostBridgeId: number;
  /** Offset of the first of seven registers that open and lock shadow RAM. */
  readonly pam: number;
  /** Offset of the control of memory for system management mode. */
  readonly smram: number;
  readonly isaBridgeId: number;
  readonly isaBridgeSlot: number;
  /** Which PIRQ wire (0..3) a slot's interrupt pin (1 = INTA) is soldered to. ACPI's _PRT and SeaBIOS for the chipset say the same. */
  wireOf(slot: number, pin: number): number;
  readonly ide: Place;
  readonly sata: Place;
  /** Whether configuration space can be mapped into memory (PCI Express, 7.2.2). */
  readonly hasEcam: boolean;
}

/** Intel 82441FX and 82371SB data sheets. SATA is an adapter in a slot. */
const I440FX: ChipsetModel = {
  name: "i440fx",
  hostBridgeId: 0x1237,
  pam: 0x59,
  smram: 0x72,
  isaBridgeId: 0x7000,
  isaBridgeSlot: 1,
  wireOf: (slot, pin) => (slot + pin - 2) & 3,
  ide: { slot: 1, functionNumber: 1 },
  sata: { slot: 6, functionNumber: 0 },
  hasEcam: false,
};

/** Intel 3 Series Express Chipset and ICH9 data sheets. IDE, for drives, is an adapter in a slot. */
const Q35: ChipsetModel = {
  name: "q35",
  hostBridgeId: 0x29c0,
  pam: 0x90,
  smram: 0x9d,
  isaBridgeId: 0x2918,
  isaBridgeSlot: 31,
  wireOf: (slot, pin) => (slot < 25 ? slot + pin - 1 : pin - 1) & 3,
  ide: { slot: 1, functionNumber: 0 },
  sata: { slot: 31, functionNumber: 2 },
  hasEcam: true,
};

export const chipsetModel = (name: ChipsetName): ChipsetModel => (name === "q35" ? Q35 : I440FX);

/** Configuration space in memory: a page for each function of 256 buses. Where it is, firmware says; these are the places it takes. */
export const ECAM_BYTES = 256 << 20;
export const ECAM_BASE = { bios: 0xb000_0000, uefi: 0xe000_0000 } as const;
