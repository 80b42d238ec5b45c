// Forwards and rules as people type them.
import { AppError } from "../../native-core/common/errors.ts";
import {
  type AdapterConfig,
  type FirewallRuleConfig,
  firewallRuleSchema,
  type PortForwardConfig,
  portForwardSchema,
} from "../../native-core/config/network-settings.ts";

/** `8080:80`, `tcp:8080:80`, `udp:0.0.0.0:5353:53`, `tcp:127.0.0.1:2222:10.0.2.20:22`. */
export function parseForward(text: string): PortForwardConfig {
  const match = /^(?:(tcp|udp):)?(?:(\d+(?:\.\d+){3}|\[[^\]]+\]):)?(\d{1,5}):(?:(\d+(?:\.\d+){3}):)?(\d{1,5})$/.exec(
    text,
  );
  const parsed = portForwardSchema.safeParse({
    protocol: match?.[1] ?? "tcp",
    hostAddress: match?.[2]?.replace(/^\[(.*)\]$/, "$1") ?? "127.0.0.1",
    hostPort: Number(match?.[3]),
    guestAddress: match?.[4] ?? "",
    guestPort: Number(match?.[5]),
  });
  if (match && parsed.success) return parsed.data;
  throw new AppError("INVALID_ARGUMENT", `It is not a port forward: ${text}`, {
    field: "forward",
    consequence: "Nothing was changed.",
    remedy: "Write it like 8080:80 or udp:0.0.0.0:5353:53 (PROTOCOL:ADDRESS:HOSTPORT:GUESTPORT).",
  });
}

export function formatForward(forward: PortForwardConfig): string {
  const { protocol, hostAddress, hostPort, guestAddress, guestPort } = forward;
  const host = hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress;
  return `${protocol}:${host}:${hostPort}:${guestAddress === "" ? "" : `${guestAddress}:`}${guestPort}`;
}

/** `deny out tcp 192.0.2.0/24 port 25`, `allow in tcp port 22`, `deny out`: action, direction, then what it is about. */
export function parseRule(words: readonly string[]): FirewallRuleConfig {
  const rest = [...words];
  const rule: Record<string, unknown> = { action: rest.shift(), direction: rest.shift() };
  if (rest[0] !== undefined && /^(?:any|tcp|udp|icmp)$/.test(rest[0])) rule["protocol"] = rest.shift();
  if (rest[0] !== undefined && rest[0] !== "port") rule["address"] = rest.shift();
  // Without a number behind it, `port` is no port.
  if (rest[0] === "port") rule["port"] = rest.splice(0, 2)[1] ?? "none";
  const parsed = firewallRuleSchema.safeParse(rule);
  if (parsed.success && rest.length === 0) return parsed.data;
  throw new AppError("INVALID_ARGUMENT", `It is not a firewall rule: ${words.join(" ")}`, {
    field: "rule",
    consequence: "Nothing was changed.",
    remedy: "Write it like: deny out tcp 192.0.2.0/24 port 25.",
  });
}

export function formatRule({ action, direction, protocol, address, port }: FirewallRuleConfig): string {
  return [action, direction, protocol === "any" ? "" : protocol, address, port && `port ${port}`]
    .filter((word) => word !== "")
    .join(" ");
}

/** `nat`, `none`, `internal:NAME`, `host-only:NAME`. */
export function parseAttachment(text: string): Pick<AdapterConfig, "network" | "networkName"> {
  const match = /^(?:(nat|none)|(internal|host-only):(.+))$/.exec(text);
  const network = (match?.[1] ?? match?.[2]) as AdapterConfig["network"] | undefined;
  if (network !== undefined) return { network, networkName: match?.[3] ?? "" };
  throw new AppError("INVALID_ARGUMENT", `There is no such network: ${text}`, {
    field: "network",
    consequence: "Nothing was changed.",
    remedy: "Use nat, none, internal:NAME or host-only:NAME.",
  });
}

export function formatAttachment({ network, networkName }: AdapterConfig): string {
  return network === "internal" || network === "host-only" ? `${network}:${networkName}` : network;
}
