// A host-only network as one adapter sees it: the other machines are behind the switch of the network process, the host is here.
//
// What is for the gateway's address ends in a NAT of this adapter's own, with this adapter's rules and forwards; everything else, DHCP
// among it, goes to the switch.
import { sameAddress } from "../../network/addresses.ts";
import type { Frame, NetworkEnd } from "../../network/frame.ts";
import type { AddressPlan } from "../../network/nat/address-plan.ts";
import type { Nat } from "../../network/nat/nat.ts";
import { ARP_REQUEST, parseArp } from "../../network/packets/arp.ts";
import { ETHER_TYPE, etherType, sameBytes } from "../../network/packets/ethernet.ts";
import type { HubClient } from "./hub-client.ts";

export class HostOnlyEnd implements NetworkEnd {
  readonly #nat: Nat;
  readonly #hub: HubClient;
  readonly #plan: AddressPlan;

  constructor(nat: Nat, hub: HubClient, plan: AddressPlan) {
    this.#nat = nat;
    this.#hub = hub;
    this.#plan = plan;
  }

  receive(frame: Frame): void {
    (this.#isForHost(frame.bytes) ? this.#nat : this.#hub).receive(frame);
  }

  flush(): void {
    this.#nat.flush();
    this.#hub.flush();
  }

  roomAgain(): void {
    this.#nat.roomAgain();
    this.#hub.roomAgain();
  }

  dispose(): void {
    this.#nat.dispose();
    this.#hub.dispose();
  }

  #isForHost(bytes: Uint8Array): boolean {
    if (bytes.length < 14) return false;
    if (sameBytes(bytes, 0, this.#plan.gatewayMac, 0, 6)) return true;
    if (etherType(bytes) !== ETHER_TYPE.ARP) return false;
    const request = parseArp(bytes);
    return request?.operation === ARP_REQUEST && sameAddress(request.targetAddress, this.#plan.gateway);
  }
}
