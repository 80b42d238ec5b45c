// Network adapters of a machine: what each is, what it is plugged into, and what it may do. All but the hardware itself (how many there
// are, their model and address) may change while the machine runs.
import { z } from "zod";
import { parseAddress, parseMac, parseRange } from "../network/addresses.ts";
import { parsePorts } from "../network/firewall/rules.ts";
import { parseGrant } from "../network/reach-policy.ts";
import { ADAPTER_SLOTS, areDistinct } from "./slots.ts";

export const ADAPTERS_MAX = 8;
export const ADAPTER_MODELS = ["virtio", "e1000", "rtl8139"] as const;
export const NETWORK_KINDS = ["nat", "internal", "host-only", "none"] as const;

const port = z.int().min(1, "ports start at 1").max(65_535, "ports end at 65535");
const isAddress = (text: string) => parseAddress(text) !== undefined;

export const portForwardSchema = z.strictObject({
  protocol: z.enum(["tcp", "udp"]),
  /** Where the host listens: 127.0.0.1 for this host alone, 0.0.0.0 for everybody who reaches it. */
  hostAddress: z.string().refine(isAddress, "an IP address").default("127.0.0.1"),
  hostPort: port,
  /** "" is the machine itself, whatever address it got. */
  guestAddress: z
    .string()
    .refine((text) => text === "" || parseAddress(text)?.length === 4, "an IPv4 address, or empty")
    .default(""),
  guestPort: port,
});
export type PortForwardConfig = z.infer<typeof portForwardSchema>;

export const firewallRuleSchema = z.strictObject({
  action: z.enum(["allow", "deny"]),
  direction: z.enum(["in", "out"]),
  protocol: z.enum(["any", "tcp", "udp", "icmp"]).default("any"),
  /** The other end: an address or a range; "" is everybody. */
  address: z
    .string()
    .refine((text) => text === "" || parseRange(text) !== undefined, "an address or a range such as 10.0.0.0/8")
    .default(""),
  /** Destination ports of TCP or UDP; "" is all. */
  port: z
    .string()
    .refine((text) => text === "" || parsePorts(text) !== undefined, "a port or a range such as 8000-8010")
    .default(""),
});
export type FirewallRuleConfig = z.infer<typeof firewallRuleSchema>;

const firewallSchema = z.strictObject({
  defaultIn: z.enum(["allow", "deny"]).default("allow"),
  defaultOut: z.enum(["allow", "deny"]).default("allow"),
  /** The first that fits decides. */
  rules: z.array(firewallRuleSchema).max(256, "at most 256 rules").default([]),
});

/** Up to 1 Tbit/s; null: as fast as it goes. */
const limit = z.int().min(8, "at least 8 kbit/s").max(1_000_000_000, "at most 1 Tbit/s").nullable().default(null);

const NAME_SERVER = /^(?:[0-9.]+|\[[0-9a-fA-F:.]+\]|[0-9a-fA-F:.]+)(?::\d{1,5})?$/;

export const adapterSchema = z
  .strictObject({
    /** Stable id within the machine: `nic0`. Names the device. */
    id: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "small letters, digits and dashes, starting with a letter"),
    model: z.enum(ADAPTER_MODELS).default("virtio"),
    /** Its place on the PCI bus, once it must not depend on the adapters before it any more (slots.ts). */
    slot: z
      .int()
      .min(ADAPTER_SLOTS.first)
      .max(ADAPTER_SLOTS.first + ADAPTER_SLOTS.count - 1)
      .optional(),
    mac: z
      .string()
      .refine((text) => parseMac(text) !== undefined, "six bytes such as 52:54:00:12:34:56")
      .refine((text) => ((parseMac(text)?.[0] ?? 0) & 1) === 0, "not the address of a group (its first byte is odd)"),
    /** Whether the cable is in. */
    connected: z.boolean().default(true),
    network: z.enum(NETWORK_KINDS),
    /** Which one, of internal and host-only networks; they come to be when the first machine uses them. */
    networkName: z
      .string()
      .regex(/^[\w .-]{0,64}$/u, "letters, digits, spaces, dots and dashes, at most 64")
      .default(""),
    /** What a NAT may reach beside public addresses: `host`, `host:8080`, `192.168.1.0/24`, `192.168.1.20:445`. */
    reach: z
      .array(z.string().refine((text) => parseGrant(text) !== undefined, "host, host:PORT, or an address or range"))
      .max(64, "at most 64")
      .default([]),
    /** Name servers that a NAT asks instead of the host's. */
    nameServers: z
      .array(z.string().regex(NAME_SERVER, "an IP address, with or without a port"))
      .max(4, "at most 4 name servers")
      .default([]),
    /** A folder of the host that the machine may read by TFTP and HTTP from the NAT, to boot from the network; "" is none. */
    bootFolder: z.string().max(4096).default(""),
    /** What DHCP names as the file to boot: `undionly.kpxe`. */
    bootFile: z.string().max(127, "at most 127 characters").default(""),
    forwards: z.array(portForwardSchema).max(64, "at most 64 forwards").default([]),
    firewall: firewallSchema.prefault({}),
    sendLimitKbit: limit,
    receiveLimitKbit: limit,
  })
  .refine(({ network, networkName }) => (network !== "internal" && network !== "host-only") || networkName !== "", {
    message: "an internal or host-only network has a name",
    path: ["networkName"],
  });
export type AdapterConfig = z.infer<typeof adapterSchema>;

export const adaptersSchema = z
  .array(adapterSchema)
  .max(ADAPTERS_MAX, `at most ${ADAPTERS_MAX} adapters`)
  .refine((adapters) => new Set(adapters.map(({ id }) => id)).size === adapters.length, "each adapter has its own id")
  .refine(
    (adapters) => new Set(adapters.map(({ mac }) => mac.toLowerCase())).size === adapters.length,
    "each adapter has its own address",
  )
  .refine((adapters) => areDistinct(adapters.map(({ slot }) => slot)), "each adapter has its own slot");

/** A new adapter on the NAT. */
export function defaultAdapter(id: string, mac: string): AdapterConfig {
  return adapterSchema.parse({ id, mac, network: "nat" });
}

/** Whether an adapter that both have is another piece of hardware in each: the one change that a running machine can't make. */
export function exchangesHardware(a: readonly AdapterConfig[], b: readonly AdapterConfig[]): boolean {
  return a.some((before) => b.some((after) => after.id === before.id && !sameHardware([before], [after])));
}

/** Whether two sets of adapters are the same hardware. */
export function sameHardware(a: readonly AdapterConfig[], b: readonly AdapterConfig[]): boolean {
  const hardware = ({ id, model, mac }: AdapterConfig) => `${id} ${model} ${mac.toLowerCase()}`;
  return a.map(hardware).join() === b.map(hardware).join();
}
