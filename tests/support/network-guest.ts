// A Linux guest with one virtio-net adapter on a link, in the time of the host: for tests and trials of what is behind the adapter.
import type { NetworkAdapter } from "../../native-core/devices/network/adapter.ts";
import { hostInputs } from "../../native-core/host/host-inputs.ts";
import { nodeHostNetwork } from "../../native-core/host/network/node-host-network.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { parseMac } from "../../native-core/network/addresses.ts";
import { Link, type LinkSettings } from "../../native-core/network/link.ts";
import { NAT_PLAN } from "../../native-core/network/nat/address-plan.ts";
import { Nat, type NatSettings } from "../../native-core/network/nat/nat.ts";
import { LinuxGuest } from "./linux-guest.ts";

const SHELL = "echo GUEST-READY; while true; do setsid -c sh; done";
const MAC = parseMac("52:54:00:12:34:56") as Uint8Array;

export const OPEN_LINK: LinkSettings = {
  connected: true,
  firewall: { defaultIn: "allow", defaultOut: "allow", rules: [] },
  sendLimit: undefined,
  receiveLimit: undefined,
};

/** Sets an address up as `udhcpc` hands it over. */
const DHCP_SCRIPT = `mkdir -p /etc/udhcpc /tmp; cat > /etc/udhcpc/default.script <<'END'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
[ -n "$router" ] && ip route add default via $router
[ -n "$dns" ] && echo nameserver $dns > /etc/resolv.conf
exit 0
END
chmod +x /etc/udhcpc/default.script
`;

const DRIVERS = { virtio: "virtio_net", e1000: "e1000", rtl8139: "8139too" } as const;

export class NetworkGuest {
  readonly guest: LinuxGuest;
  readonly link: Link;
  readonly nat: Nat;
  adapter!: NetworkAdapter;

  private constructor(guest: LinuxGuest, link: Link, nat: Nat, adapter: NetworkAdapter) {
    this.guest = guest;
    this.link = link;
    this.nat = nat;
    this.adapter = adapter;
  }

  static async start(
    createProcessor: ProcessorFactory,
    settings: Partial<NatSettings> = {},
    link = new Link(OPEN_LINK, nodeHostNetwork),
    model: keyof typeof DRIVERS = "virtio",
  ): Promise<NetworkGuest> {
    const nat = new Nat({
      host: nodeHostNetwork,
      adapter: link.networkSide,
      plan: NAT_PLAN,
      settings: { reach: [], nameServers: [], isRouter: true, ...settings },
      guestMac: MAC,
    });
    link.network = nat;
    let adapter: NetworkAdapter | undefined;
    const guest = await LinuxGuest.start({
      // The cloud kernel has no drivers for real hardware.
      flavour: model === "virtio" ? "cloud-amd64" : "amd64",
      modules: ["virtio_pci", DRIVERS[model], "af_packet"],
      script: `${DHCP_SCRIPT}${SHELL}`,
      createProcessor,
      commandLine: "console=ttyS0 panic=-1 cryptomgr.notests",
      parts: {
        inputs: hostInputs,
        adapters: [
          {
            id: "nic0",
            model,
            mac: MAC,
            linkUp: true,
            backend: link.guestSide,
            attach(made) {
              adapter = made;
              link.adapter = made.end;
            },
          },
        ],
      },
    });
    if (!adapter) throw new Error("the machine has no adapter");
    return new NetworkGuest(guest, link, nat, adapter);
  }

  /** Types a command and returns what it printed. */
  async command(line: string): Promise<string> {
    const from = this.guest.console.length;
    this.guest.type(`${line}; echo "do""ne"\n`);
    await this.guest.waitFor("done\r\n", from);
    return this.guest.console.slice(this.guest.console.indexOf("\n", from) + 1, this.guest.console.lastIndexOf("done"));
  }

  dispose(): void {
    this.nat.dispose();
    this.link.dispose();
  }
}
