// Addresses, ranges and what the NAT may reach.
import { describe, expect, it } from "vitest";
import { formatAddress, inRange, parseAddress, parseRange } from "../../../native-core/network/addresses.ts";
import { classify, parseGrant, ReachPolicy } from "../../../native-core/network/reach-policy.ts";

const address = (text: string): Uint8Array => {
  const bytes = parseAddress(text);
  if (!bytes) throw new Error(`no address: ${text}`);
  return bytes;
};

describe("addresses", () => {
  it.each(["0.0.0.0", "192.0.2.1", "::", "::1", "2001:db8::1", "fe80::1:0:0:1", "1:2:3:4:5:6:7:8", "64:ff9b::a00:1"])(
    "%s is read and written the same",
    (text) => expect(formatAddress(address(text))).toBe(text),
  );

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.4/8",
    "a",
    ":::",
    "1::2::3",
    "12345::",
    "1:2:3",
    "fe80::1%eth0",
  ])("%j is none", (text) => expect(parseAddress(text)).toBeUndefined());

  it("may be written with an IPv4 tail", () => {
    expect(formatAddress(address("::ffff:127.0.0.1"))).toBe("::ffff:7f00:1");
  });

  it("are in a range by their leading bits", () => {
    const range = parseRange("10.20.0.0/12");
    expect(range && ["10.16.0.1", "10.31.255.255", "10.32.0.0"].map((text) => inRange(address(text), range))).toEqual([
      true,
      true,
      false,
    ]);
    expect(["1.2.3.4/33", "1.2.3.4/", "::/129", "/8", "1.2.3.4/8/8"].map(parseRange)).toEqual(Array(5).fill(undefined));
  });
});

describe("the class of an address", () => {
  it.each([
    ["127.0.0.1", "host"],
    ["127.255.255.254", "host"],
    ["0.0.0.0", "host"],
    ["::1", "host"],
    ["::", "host"],
    ["169.254.169.254", "link-local"],
    ["fe80::1", "link-local"],
    ["10.0.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.168.0.1", "private"],
    ["100.64.0.1", "private"],
    ["fd00::1", "private"],
    ["224.0.0.251", "unusable"],
    ["255.255.255.255", "unusable"],
    ["ff02::1", "unusable"],
    ["8.8.8.8", "public"],
    ["172.32.0.1", "public"],
    ["2606:4700::1111", "public"],
    // IPv4 in the clothes of IPv6: mapped, translated, compatible, NAT64, 6to4, Teredo.
    ["::ffff:127.0.0.1", "host"],
    ["::ffff:0:192.168.0.1", "private"],
    ["::127.0.0.1", "host"],
    ["64:ff9b::10.0.0.1", "private"],
    ["64:ff9b:1::169.254.169.254", "link-local"],
    ["2002:7f00:1::", "host"],
    ["2002:c0a8:101::1", "private"],
    ["2001:0:1:2:3:4:80ff:fffe", "host"],
    ["::ffff:8.8.8.8", "public"],
  ])("%s is %s", (text, kind) => expect(classify(address(text))).toBe(kind));

  it("is the host's for the addresses of its interfaces, public ones too", () => {
    expect(classify(address("198.51.100.7"), [address("198.51.100.7")])).toBe("host");
  });
});

describe("leave to reach more", () => {
  it("is the host, a range, each with or without port", () => {
    expect(
      ["host", "host:80", "10.0.0.0/8", "10.0.0.1:80", "[fd00::1]:80", "fd00::/8"].map(
        (text) => parseGrant(text) !== undefined,
      ),
    ).toEqual(Array(6).fill(true));
    expect(parseGrant("[fd00::/8]")).toBeDefined();
    expect(
      ["", "hosts", "host:0", "host:65536", "host:", "example.org", "10.0.0.1:80:80", "1.2.3/8"].map(parseGrant),
    ).toEqual(Array(8).fill(undefined));
  });

  it("for every address is none for the host", () => {
    const policy = new ReachPolicy(["0.0.0.0/0"], () => [address("192.168.7.7")]);
    expect(policy.allows(address("192.168.7.8"), 80)).toBe(true);
    expect(policy.allows(address("192.168.7.7"), 80)).toBe(false);
    expect(policy.allows(address("127.0.0.1"), 80)).toBe(false);
    expect(policy.allows(address("224.0.0.1"), 80)).toBe(false);
  });
});
