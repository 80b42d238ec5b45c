// Ports of the host that lead into a guest. They may change at any time; connections that are open stay.
import type { HostEndpoint, HostNetwork } from "./host-network.ts";
import type { TcpTable } from "./tcp-table.ts";
import type { UdpTable } from "./udp-table.ts";

export interface PortForward {
  readonly protocol: "tcp" | "udp";
  readonly host: HostEndpoint;
  /** Undefined address: the first guest of the network. */
  readonly guestAddress: Uint8Array | undefined;
  readonly guestPort: number;
}

export class PortForwards {
  readonly #host: HostNetwork;
  readonly #tcp: TcpTable;
  readonly #udp: UdpTable;
  readonly #gateway: Uint8Array;
  readonly #guest: () => Uint8Array;
  readonly #open = new Map<string, () => void>();
  #applying: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(parts: {
    host: HostNetwork;
    tcp: TcpTable;
    udp: UdpTable;
    /** As whom the host's peers appear to the guest. */
    gateway: Uint8Array;
    guest: () => Uint8Array;
  }) {
    this.#host = parts.host;
    this.#tcp = parts.tcp;
    this.#udp = parts.udp;
    this.#gateway = parts.gateway;
    this.#guest = parts.guest;
  }

  /** Opens what is new and closes what is gone. Yields what could not be opened, with the reason; the rest works. */
  apply(forwards: readonly PortForward[]): Promise<{ forward: PortForward; error: unknown }[]> {
    const applied = this.#applying.then(() => this.#apply(forwards));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  dispose(): void {
    this.#disposed = true;
    for (const close of this.#open.values()) close();
    this.#open.clear();
  }

  async #apply(forwards: readonly PortForward[]): Promise<{ forward: PortForward; error: unknown }[]> {
    const wanted = new Map(forwards.map((forward) => [keyOf(forward), forward]));
    for (const [key, close] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      close();
    }
    const failures: { forward: PortForward; error: unknown }[] = [];
    for (const [key, forward] of wanted) {
      if (this.#open.has(key)) continue;
      try {
        const close = await this.#listen(forward);
        if (this.#disposed) close();
        else this.#open.set(key, close);
      } catch (error) {
        failures.push({ forward, error });
      }
    }
    return failures;
  }

  async #listen({ protocol, host, guestAddress, guestPort }: PortForward): Promise<() => void> {
    if (protocol === "udp") return this.#udp.forward(host, { address: guestAddress ?? this.#guest(), port: guestPort });
    const listener = await this.#host.listen(host, (stream) => {
      const to = { address: guestAddress ?? this.#guest(), port: guestPort };
      const events = this.#tcp.call(stream, { address: this.#gateway, port: 0 }, to);
      if (events) return events;
      stream.abort();
      return NOBODY;
    });
    return () => listener.dispose();
  }
}

const ignore = () => undefined;
const NOBODY = { connected: ignore, data: ignore, drained: ignore, ended: ignore, closed: ignore };

function keyOf({ protocol, host, guestAddress, guestPort }: PortForward): string {
  return `${protocol} ${host.address.join()} ${host.port} ${guestAddress?.join() ?? ""} ${guestPort}`;
}
