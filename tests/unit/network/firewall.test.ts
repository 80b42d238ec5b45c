// The firewall of an adapter, packet by packet.
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../native-core/network/addresses.ts";
import { Firewall } from "../../../native-core/network/firewall/firewall.ts";
import { type FirewallRule, parsePorts } from "../../../native-core/network/firewall/rules.ts";
import type { Frame } from "../../../native-core/network/frame.ts";
import { icmpFrame } from "../../../native-core/network/packets/icmp.ts";
import { tcpFrame } from "../../../native-core/network/packets/tcp.ts";
import { udpFrame } from "../../../native-core/network/packets/udp.ts";

const MACS = { sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6) };
const GUEST = "10.0.2.15";
const address = (text: string) => parseAddress(text) as Uint8Array;

/** From or to the guest. */
const ends = (direction: "in" | "out", other: string, guest = GUEST) => ({
  ...MACS,
  source: address(direction === "out" ? guest : other),
  destination: address(direction === "out" ? other : guest),
});

const tcp = (direction: "in" | "out", other: string, sourcePort: number, destinationPort: number): Frame =>
  tcpFrame(ends(direction, other), {
    sourcePort,
    destinationPort,
    sequence: 0,
    acknowledgment: 0,
    flags: 2,
    window: 0,
  });

const rule = (part: Partial<FirewallRule>): FirewallRule => ({
  action: "deny",
  direction: "out",
  protocol: "any",
  address: "",
  port: "",
  ...part,
});

describe("a firewall", () => {
  it("lets answers to what was allowed in, and nothing else, where the default denies", () => {
    const firewall = new Firewall({ defaultIn: "deny", defaultOut: "allow", rules: [] });
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 5000), "in")).toBe(false);
    expect(firewall.passes(tcp("out", "8.8.8.8", 5000, 443), "out")).toBe(true);
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 5000), "in")).toBe(true);
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 5001), "in")).toBe(false);
    expect(firewall.passes(tcp("in", "8.8.4.4", 443, 5000), "in")).toBe(false);
    expect(firewall.deniedFrames).toBe(3);
  });

  it("asks rules in their order: direction, protocol, address, port", () => {
    const firewall = new Firewall({
      defaultIn: "allow",
      defaultOut: "deny",
      rules: [
        rule({ address: "10.1.0.0/16" }),
        rule({ action: "allow", protocol: "tcp", address: "10.0.0.0/8", port: "80-89" }),
        rule({ action: "allow", protocol: "icmp" }),
      ],
    });
    expect(firewall.passes(tcp("out", "10.2.3.4", 1, 80), "out")).toBe(true);
    expect(firewall.passes(tcp("out", "10.2.3.4", 1, 89), "out")).toBe(true);
    expect(firewall.passes(tcp("out", "10.2.3.4", 1, 90), "out")).toBe(false);
    expect(firewall.passes(tcp("out", "10.1.3.4", 1, 80), "out")).toBe(false);
    expect(firewall.passes(tcp("out", "8.8.8.8", 1, 80), "out")).toBe(false);
    expect(firewall.passes(udpFrame(ends("out", "10.2.3.4"), 1, 80, new Uint8Array(1)), "out")).toBe(false);
    expect(firewall.passes(icmpFrame(ends("out", "8.8.8.8"), 8, 0, new Uint8Array(4)), "out")).toBe(true);
    expect(firewall.passes(tcp("in", "8.8.8.8", 1, 80), "in")).toBe(true);
  });

  it("applies new rules to what is under way", () => {
    const open = { defaultIn: "deny", defaultOut: "allow", rules: [] } as const;
    const firewall = new Firewall(open);
    firewall.passes(tcp("out", "8.8.8.8", 5000, 443), "out");
    firewall.configure({ ...open, rules: [rule({ port: "443", protocol: "tcp" })] });
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 5000), "in")).toBe(false);
    firewall.configure(open);
    expect(firewall.passes(tcp("out", "8.8.8.8", 5000, 443), "out")).toBe(true);
  });

  it("always lets a machine get an address, but no other datagram of those ports' neighbours", () => {
    const firewall = new Firewall({ defaultIn: "deny", defaultOut: "deny", rules: [] });
    const dhcp = (source: number, destination: number) =>
      udpFrame(ends("out", "255.255.255.255", "0.0.0.0"), source, destination, new Uint8Array(1));
    expect(firewall.passes(dhcp(68, 67), "out")).toBe(true);
    expect(firewall.passes(dhcp(68, 53), "out")).toBe(false);
    expect(firewall.passes(dhcp(1000, 67), "out")).toBe(false);
  });

  it("keeps a bounded number of flows", () => {
    const firewall = new Firewall({ defaultIn: "deny", defaultOut: "allow", rules: [] });
    for (let port = 1; port <= 9000; port++) firewall.passes(tcp("out", "8.8.8.8", port, 443), "out");
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 1), "in")).toBe(false);
    expect(firewall.passes(tcp("in", "8.8.8.8", 443, 9000), "in")).toBe(true);
  });
});

describe("ports of a rule", () => {
  it("are one or a range", () => {
    expect([parsePorts("80"), parsePorts("8000-8010")]).toEqual([
      [80, 80],
      [8000, 8010],
    ]);
    expect(["", "0", "65536", "10-9", "a", "80,81"].map(parsePorts)).toEqual(Array(6).fill(undefined));
  });
});
