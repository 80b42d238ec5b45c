// Forwards, rules and networks as they are typed on the command line.
import { describe, expect, it } from "vitest";
import {
  formatForward,
  formatRule,
  parseAttachment,
  parseForward,
  parseRule,
} from "../../../main/cli/network-syntax.ts";

describe("a port forward on the command line", () => {
  it.each([
    ["8080:80", "tcp:127.0.0.1:8080:80"],
    ["udp:5353:53", "udp:127.0.0.1:5353:53"],
    ["tcp:0.0.0.0:2222:22", "tcp:0.0.0.0:2222:22"],
    ["[::1]:2222:22", "tcp:[::1]:2222:22"],
    ["tcp:127.0.0.1:2222:10.0.2.20:22", "tcp:127.0.0.1:2222:10.0.2.20:22"],
  ])("%s is %s", (text, full) => {
    expect(formatForward(parseForward(text))).toBe(full);
    expect(formatForward(parseForward(full))).toBe(full);
  });

  it.each(["", "80", "0:80", "8080:65536", "icmp:1:1", "999.0.0.1:80:80", "8080:80:"])("%j is none", (text) => {
    expect(() => parseForward(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("a firewall rule on the command line", () => {
  it.each([
    "deny out",
    "allow in tcp port 22",
    "deny out tcp 192.0.2.0/24 port 25",
    "allow in icmp",
    "deny out fd00::/8",
  ])("%s", (text) => expect(formatRule(parseRule(text.split(" ")))).toBe(text));

  it.each([
    "",
    "deny",
    "drop out",
    "deny up",
    "deny out tcp 1.2.3",
    "deny out tcp port",
    "deny out tcp port 0",
    "deny out a b c",
  ])("%j is none", (text) => {
    expect(() => parseRule(text.split(" "))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("a network on the command line", () => {
  it("is the NAT, nothing, or a switch by name", () => {
    expect(["nat", "none", "internal:lab", "host-only:my office"].map(parseAttachment)).toEqual([
      { network: "nat", networkName: "" },
      { network: "none", networkName: "" },
      { network: "internal", networkName: "lab" },
      { network: "host-only", networkName: "my office" },
    ]);
    for (const text of ["", "internal", "internal:", "bridge:eth0"]) expect(() => parseAttachment(text)).toThrow();
  });
});
