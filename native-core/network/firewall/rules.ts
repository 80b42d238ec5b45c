// Firewall rules of one adapter: what they say about a packet. The first rule that fits decides, else the default of its direction.
import { type AddressRange, inRangeAt, parseRange } from "../addresses.ts";

export type Direction = "in" | "out";
export type Verdict = "allow" | "deny";

export interface FirewallRule {
  readonly action: Verdict;
  readonly direction: Direction;
  readonly protocol: "any" | "tcp" | "udp" | "icmp";
  /** The other end: an address or range; empty: anywhere. */
  readonly address: string;
  /** Destination port or ports (`80`, `8000-8010`); empty: all. Only for TCP and UDP. */
  readonly port: string;
}

export interface FirewallSettings {
  readonly defaultIn: Verdict;
  readonly defaultOut: Verdict;
  readonly rules: readonly FirewallRule[];
}

/** What is known of a packet: protocol as in its header, the other end's address, destination port where there is one. */
export interface Traffic {
  readonly direction: Direction;
  readonly protocol: number;
  readonly bytes: Uint8Array;
  readonly addressAt: number;
  readonly addressBytes: number;
  readonly port: number | undefined;
}

const PROTOCOLS = { any: [], tcp: [6], udp: [17], icmp: [1, 58] } as const satisfies Record<string, readonly number[]>;

interface CompiledRule {
  readonly action: Verdict;
  readonly direction: Direction;
  readonly protocols: readonly number[];
  readonly range: AddressRange | undefined;
  readonly ports: readonly [number, number] | undefined;
}

/** `80` or `8000-8010`; undefined for anything else. */
export function parsePorts(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first >= 1 && first <= last && last <= 65_535 ? [first, last] : undefined;
}

export class RuleSet {
  readonly #defaults: Readonly<Record<Direction, Verdict>>;
  readonly #rules: readonly CompiledRule[];

  /** Texts have been checked by the configuration's schema. */
  constructor({ defaultIn, defaultOut, rules }: FirewallSettings) {
    this.#defaults = { in: defaultIn, out: defaultOut };
    this.#rules = rules.map(({ action, direction, protocol, address, port }) => ({
      action,
      direction,
      protocols: PROTOCOLS[protocol],
      range: address === "" ? undefined : parseRange(address),
      ports: port === "" ? undefined : parsePorts(port),
    }));
  }

  /** Nothing is ever denied. */
  get isOpen(): boolean {
    return (
      this.#defaults.in === "allow" &&
      this.#defaults.out === "allow" &&
      this.#rules.every((rule) => rule.action === "allow")
    );
  }

  defaultOf(direction: Direction): Verdict {
    return this.#defaults[direction];
  }

  decide(traffic: Traffic): Verdict {
    for (const rule of this.#rules) if (fits(rule, traffic)) return rule.action;
    return this.#defaults[traffic.direction];
  }
}

function fits({ direction, protocols, range, ports }: CompiledRule, traffic: Traffic): boolean {
  if (direction !== traffic.direction) return false;
  if (protocols.length > 0 && !protocols.includes(traffic.protocol)) return false;
  if (range && !inRangeAt(traffic.bytes, traffic.addressAt, traffic.addressBytes, range)) return false;
  if (!ports) return true;
  return traffic.port !== undefined && traffic.port >= ports[0] && traffic.port <= ports[1];
}
