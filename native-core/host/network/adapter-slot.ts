// One network adapter of a running machine: its cable, what that leads to, and a capture if one runs.
import type { AdapterConfig } from "../../config/network-settings.ts";
import type { NetworkAdapter } from "../../devices/network/adapter.ts";
import type { NetworkPart } from "../../machine/cards.ts";
import { formatAddress, parseAddress, parseMac } from "../../network/addresses.ts";
import type { NetworkEnd } from "../../network/frame.ts";
import { Link, type LinkSettings } from "../../network/link.ts";
import { hostOnlyPlan, NAT_PLAN } from "../../network/nat/address-plan.ts";
import { Nat, type NatSettings } from "../../network/nat/nat.ts";
import type { PortForward } from "../../network/nat/port-forwards.ts";
import type { AdapterStatus, PortElsewhere } from "../../protocol/network.ts";
import { withHolder } from "./bind-error.ts";
import { readBootFile } from "./boot-folder.ts";
import { CaptureFile } from "./capture-file.ts";
import { HostOnlyEnd } from "./host-only-end.ts";
import { HubClient } from "./hub-client.ts";
import { nodeHostNetwork, parseEndpoint } from "./node-host-network.ts";

/** How long the link is down after the cable moved to another network: long enough for guests to notice. */
const REPLUG_MS = 300;

export interface SlotParts {
  readonly machineId: string;
  /** Where the network process listens; null where there is none. */
  readonly hubSocket: string | null;
  /** What the host's other machines forward now. */
  portsElsewhere(): readonly PortElsewhere[];
  warn(message: string): void;
}

export class AdapterSlot {
  readonly part: NetworkPart;
  readonly #parts: SlotParts;
  readonly #link: Link;
  readonly #mac: Uint8Array;
  #config: AdapterConfig;
  #adapter: NetworkAdapter | undefined;
  #nat: Nat | undefined;
  #hub: HubClient | undefined;
  #capture: CaptureFile | undefined;
  #replug: NodeJS.Timeout | undefined;
  /** Forwards that could not be opened. */
  #forwardProblems: string[] = [];
  /** Why the last capture ended by itself. */
  #captureProblem: string | undefined;

  constructor(config: AdapterConfig, parts: SlotParts) {
    this.#config = config;
    this.#parts = parts;
    this.#mac = parseMac(config.mac) ?? new Uint8Array(6);
    this.#link = new Link(linkSettings(config), nodeHostNetwork);
    this.part = {
      id: config.id,
      model: config.model,
      slot: config.slot,
      mac: this.#mac,
      linkUp: hasCarrier(config),
      backend: this.#link.guestSide,
      attach: (adapter) => {
        this.#adapter = adapter;
        this.#link.adapter = adapter.end;
      },
    };
    this.#plugIn();
  }

  get id(): string {
    return this.#config.id;
  }

  /** Opens the port forwards of a machine that starts; those that can't be are problems, not the end of the start. */
  async start(): Promise<void> {
    for (const problem of await this.#forward(this.#config)) this.#parts.warn(`${this.id}: ${problem.message}`);
  }

  /** Takes over new settings of the same hardware. Rejects when a forward can't be opened; then all is as before. */
  async configure(config: AdapterConfig): Promise<void> {
    const before = this.#config;
    const isMoved = before.network !== config.network || before.networkName !== config.networkName;
    if (isMoved) this.#unplug();
    this.#config = config;
    this.#link.configure(linkSettings(config));
    if (isMoved) this.#plugIn();
    else this.#nat?.configure(natSettings(config));
    const [failure] = await this.#forward(config);
    if (failure) {
      await this.configure(before);
      throw failure;
    }
    if (isMoved) this.#flickerLink();
    else this.#adapter?.setLink(hasCarrier(config));
  }

  async startCapture(file: string): Promise<void> {
    await this.stopCapture();
    const capture = await CaptureFile.create(file, this.id, (problem) => {
      if (problem === undefined || this.#capture !== capture) return;
      this.#capture = undefined;
      this.#link.capture = undefined;
      this.#captureProblem = `The capture ended: ${problem}`;
      this.#parts.warn(`${this.id}: ${this.#captureProblem}`);
    });
    this.#capture = capture;
    this.#link.capture = (frame, direction) => capture.add(frame, direction);
  }

  async stopCapture(): Promise<void> {
    this.#link.capture = undefined;
    this.#captureProblem = undefined;
    const capture = this.#capture;
    this.#capture = undefined;
    await capture?.close();
  }

  status(): AdapterStatus {
    const capture = this.#capture;
    return {
      id: this.id,
      isPlugged: this.#hub ? this.#hub.isConnected : this.#nat !== undefined,
      counters: this.#link.counters,
      leases: (this.#nat?.leases ?? []).map(({ address, mac, hostName }) => ({
        address: formatAddress(address),
        mac,
        hostName,
      })),
      capture: capture ? { file: capture.file, bytes: capture.writtenBytes, frames: capture.frames } : null,
      problems: [...this.#forwardProblems, ...(this.#captureProblem === undefined ? [] : [this.#captureProblem])],
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#replug);
    this.#unplug();
    this.#link.dispose();
    await this.stopCapture();
  }

  #plugIn(): void {
    this.#link.network = this.#makeNetwork();
  }

  #unplug(): void {
    this.#link.network?.dispose();
    this.#link.network = undefined;
    this.#nat = undefined;
    this.#hub = undefined;
  }

  #makeNetwork(): NetworkEnd | undefined {
    const { network, networkName } = this.#config;
    switch (network) {
      case "none":
        return undefined;
      case "nat":
        return this.#makeNat(NAT_PLAN);
      case "internal":
        return this.#makeHub("internal");
      case "host-only": {
        const hub = this.#makeHub("host-only");
        const plan = hostOnlyPlan(networkName);
        return hub && new HostOnlyEnd(this.#makeNat(plan), hub, plan);
      }
    }
  }

  #makeNat(plan: typeof NAT_PLAN): Nat {
    this.#nat = new Nat({
      host: nodeHostNetwork,
      adapter: this.#link.networkSide,
      plan,
      settings: natSettings(this.#config),
      guestMac: this.#mac,
    });
    return this.#nat;
  }

  #makeHub(kind: "internal" | "host-only"): HubClient | undefined {
    const { machineId, hubSocket } = this.#parts;
    if (hubSocket === null) return undefined;
    const hello = { kind, network: this.#config.networkName, machineId, adapterId: this.id };
    this.#hub = new HubClient(hubSocket, hello, this.#link.networkSide);
    return this.#hub;
  }

  async #forward(config: AdapterConfig): Promise<Error[]> {
    if (!this.#nat) return [];
    const failures = (await this.#nat.forward(config.forwards.map(portForward))).map(({ forward, error }) =>
      withHolder(error instanceof Error ? error : new Error(String(error)), forward, this.#parts.portsElsewhere()),
    );
    this.#forwardProblems = failures.map(({ message }) => message);
    return failures;
  }

  /** Guests ask for an address anew when their link comes back. */
  #flickerLink(): void {
    clearTimeout(this.#replug);
    this.#adapter?.setLink(false);
    this.#replug = setTimeout(() => this.#adapter?.setLink(hasCarrier(this.#config)), REPLUG_MS);
  }
}

function hasCarrier({ connected, network }: AdapterConfig): boolean {
  return connected && network !== "none";
}

function linkSettings(config: AdapterConfig): LinkSettings {
  return {
    connected: hasCarrier(config),
    firewall: config.firewall,
    sendLimit: config.sendLimitKbit ?? undefined,
    receiveLimit: config.receiveLimitKbit ?? undefined,
  };
}

function natSettings({ network, reach, nameServers, bootFolder, bootFile }: AdapterConfig): NatSettings {
  const boot = { file: bootFile, read: (name: string) => readBootFile(bootFolder, name) };
  return {
    boot: bootFolder === "" ? undefined : boot,
    reach,
    nameServers: nameServers.map(parseEndpoint).filter((endpoint) => endpoint !== undefined),
    isRouter: network === "nat",
  };
}

function portForward(config: AdapterConfig["forwards"][number]): PortForward {
  return {
    protocol: config.protocol,
    host: { address: parseAddress(config.hostAddress) ?? Uint8Array.of(127, 0, 0, 1), port: config.hostPort },
    guestAddress: config.guestAddress === "" ? undefined : parseAddress(config.guestAddress),
    guestPort: config.guestPort,
  };
}
