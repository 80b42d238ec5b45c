// A network adapter as the world outside the machine sees it, whatever its model.
import type { AdapterEnd, NetworkEnd } from "../../network/frame.ts";
import { PciFunction, type PciIdentity } from "../pci/pci-function.ts";

/** Ethernet pads shorter frames, and adds a checksum. */
export const MIN_FRAME_BYTES = 60;
export const CRC_BYTES = 4;

/** Where an adapter sends what the guest sends. Called in the middle of the guest's work: nothing here may throw. */
export type NetworkBackend = Pick<NetworkEnd, "receive" | "flush" | "roomAgain">;

export interface NetworkAdapter {
  /** Takes frames for the guest. Safe to call at any time. */
  readonly end: AdapterEnd;
  /** Plugs the cable in or pulls it; the guest is told. */
  setLink(up: boolean): void;
}

export interface NetworkAdapterOptions {
  readonly mac: Uint8Array;
  readonly linkUp: boolean;
  readonly backend: NetworkBackend;
  readonly deliver: (apply: () => void) => void;
}

/** An Ethernet controller with one interrupt pin. */
export const ethernetFunction = (
  identity: Required<Pick<PciIdentity, "vendorId" | "deviceId" | "revision" | "subsystemId">>,
): PciFunction =>
  new PciFunction({ ...identity, classCode: 0x020000, subsystemVendorId: identity.vendorId, interruptPin: 1 });
