// Where a NAT may go on the host's behalf. Public addresses are free; the host itself, its neighbours and its private networks are not,
// unless the user said so. The address that a connection is made to is what is checked, so a name that resolves to a private address
// (DNS rebinding) gains nothing, nor does an IPv4 address dressed as IPv6.
import { type AddressRange, inRange, parseRange, sameAddress } from "./addresses.ts";

export type AddressClass = "public" | "host" | "link-local" | "private" | "unusable";

const range = (text: string): AddressRange => parseRange(text) as AddressRange;

// RFC 6890 and the IANA special-purpose registries.
const CLASSES: readonly (readonly [AddressClass, readonly AddressRange[]])[] = [
  ["host", [range("127.0.0.0/8"), range("0.0.0.0/8"), range("::1"), range("::")]],
  ["link-local", [range("169.254.0.0/16"), range("fe80::/10")]],
  [
    "private",
    [
      ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15"].map(range),
      ...["fc00::/7", "fec0::/10"].map(range),
    ],
  ],
  ["unusable", [range("224.0.0.0/4"), range("240.0.0.0/4"), range("ff00::/8")]],
];

/** IPv6 prefixes that carry an IPv4 address, and where in the 16 bytes it is. */
const EMBEDDED: readonly (readonly [AddressRange, number])[] = [
  [range("::ffff:0:0/96"), 12],
  [range("::ffff:0:0:0/96"), 12],
  [range("::/96"), 12],
  [range("64:ff9b::/96"), 12],
  [range("64:ff9b:1::/48"), 12],
  [range("2002::/16"), 2],
];
const TEREDO = range("2001::/32");

/** What an address is, whatever it is wrapped in. `hostAddresses` are those of the host's own interfaces. */
export function classify(address: Uint8Array, hostAddresses: readonly Uint8Array[] = []): AddressClass {
  if (hostAddresses.some((own) => sameAddress(own, address))) return "host";
  for (const [name, ranges] of CLASSES) if (ranges.some((each) => inRange(address, each))) return name;
  if (address.length === 4) return "public";
  for (const [prefix, at] of EMBEDDED) {
    if (inRange(address, prefix)) return classify(address.slice(at, at + 4), hostAddresses);
  }
  // RFC 4380 4: the client's address is in the last four bytes, inverted.
  if (inRange(address, TEREDO))
    return classify(
      address.slice(12).map((byte) => ~byte & 0xff),
      hostAddresses,
    );
  return "public";
}

/** One exception the user made: the host, or a range of addresses; all ports or one. */
export interface ReachGrant {
  readonly target: "host" | AddressRange;
  readonly port: number | undefined;
}

/** `host`, `host:8080`, `192.168.1.0/24`, `192.168.1.20:445`, `[fd12::1]:80`, `fd00::/8`; undefined for anything else. */
export function parseGrant(text: string): ReachGrant | undefined {
  const match = /^(host|\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const [targetText, portText] = match ? [match[1] as string, match[2]] : [text, undefined];
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  if (targetText === "host") return { target: "host", port };
  const target = parseRange(targetText.replace(/^\[(.*)\]$/, "$1"));
  return target && { target, port };
}

export class ReachPolicy {
  readonly #grants: readonly ReachGrant[];
  readonly #hostAddresses: () => readonly Uint8Array[];

  /** Texts that are not grants are left out; the configuration's schema has refused them before. */
  constructor(grants: readonly string[], hostAddresses: () => readonly Uint8Array[]) {
    this.#grants = grants.map(parseGrant).filter((grant) => grant !== undefined);
    this.#hostAddresses = hostAddresses;
  }

  allows(address: Uint8Array, port: number): boolean {
    const kind = classify(address, this.#hostAddresses());
    if (kind === "public") return true;
    if (kind === "unusable") return false;
    // A wide range is no leave to reach the host: that takes its own word.
    return kind === "host" ? this.allowsHost(port) : this.#granted(address, port);
  }

  /** Whether a port of the host itself may be reached, through the gateway's address or its own. */
  allowsHost(port: number): boolean {
    return this.#grants.some((grant) => grant.target === "host" && (grant.port === undefined || grant.port === port));
  }

  #granted(address: Uint8Array, port: number): boolean {
    return this.#grants.some(
      ({ target, port: only }) =>
        target !== "host" && (only === undefined || only === port) && inRange(address, target),
    );
  }
}
