// A network adapter whose cable ends nowhere, for tests of the machine around it.
import type { NetworkPart } from "../../native-core/machine/cards.ts";

export function idleAdapter(number: number, model: NetworkPart["model"]): NetworkPart {
  return {
    ...{ id: `nic${number}`, model, mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, number), linkUp: true },
    backend: { receive: () => {}, flush: () => {}, roomAgain: () => {} },
    attach: () => {},
  };
}
