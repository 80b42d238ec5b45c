// Whatever a guest sends, nothing throws, nothing is reached that may not be, and nothing grows without bound.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Firewall } from "../../../native-core/network/firewall/firewall.ts";
import { Frame } from "../../../native-core/network/frame.ts";
import { NAT_PLAN } from "../../../native-core/network/nat/address-plan.ts";
import { Nat } from "../../../native-core/network/nat/nat.ts";
import { cut, withChecksum } from "../../../native-core/network/offload.ts";
import { classify } from "../../../native-core/network/reach-policy.ts";
import { parseDhcp } from "../../../native-core/network/services/dhcp-message.ts";
import { FakeHostNetwork } from "../../support/fake-host-network.ts";

const ETHER_TYPES = [
  [8, 0],
  [8, 6],
  [0x86, 0xdd],
  [0x81, 0],
];

/** Frames that get past the first checks: plausible headers with random rest, cut anywhere. */
const frames = fc
  .record({
    type: fc.constantFrom(...ETHER_TYPES),
    protocol: fc.constantFrom(1, 6, 17, 58, 44, 0, 43),
    headerWords: fc.oneof({ weight: 3, arbitrary: fc.constant(5) }, fc.integer({ min: 0, max: 15 })),
    destination: fc.constantFrom(
      [10, 0, 2, 2],
      [10, 0, 2, 3],
      [8, 8, 8, 8],
      [127, 0, 0, 1],
      [192, 168, 0, 1],
      [255, 255, 255, 255],
    ),
    fragment: fc.constantFrom([0, 0], [0, 0], [0, 0], [0x20, 0], [0x20, 1], [0, 1], [0x1f, 0xff]),
    head: fc.constantFrom(
      // A SYN, a datagram of 8 bytes, an echo request, nothing in particular.
      [1, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 16, 0],
      [1, 0, 0, 53, 0, 16, 0, 0],
      [8, 0, 0, 0],
      [],
    ),
    body: fc.uint8Array({ minLength: 16, maxLength: 200 }),
    lengthError: fc.constantFrom(0, 0, 0, 1, -1, 1000, -1000),
    checksumStart: fc.constantFrom(0, 14, 34, 54, 200, 65_535),
    segmentBytes: fc.constantFrom(0, 48, 1460, 65_535),
  })
  .map(
    ({ type, protocol, headerWords, destination, fragment, head, body, lengthError, checksumStart, segmentBytes }) => {
      const bytes = new Uint8Array(54 + body.length);
      bytes.set(NAT_PLAN.gatewayMac, 0);
      bytes.set([0x52, 0x54, 0, 1, 2, 3], 6);
      bytes.set(type, 12);
      bytes.set(body, 34);
      bytes.set(head, 34);
      const length = bytes.length - 14 + lengthError;
      if (type[0] === 8) {
        bytes.set([0x40 | headerWords, 0, (length >> 8) & 0xff, length & 0xff, 0, 1, ...fragment, 64, protocol], 14);
        bytes.set([10, 0, 2, 15, ...destination], 26);
      } else if (type[0] === 0x86) {
        bytes.set([0x60, 0, 0, 0, ((length - 40) >> 8) & 0xff, (length - 40) & 0xff, protocol, 255], 14);
        bytes.set(NAT_PLAN.v6?.prefix ?? [], 22);
      }
      return new Frame(bytes, checksumStart, 16, segmentBytes);
    },
  );

const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => new Frame(bytes));

describe("hostile frames", () => {
  it("do no harm to the NAT, whatever is in them", () => {
    const host = new FakeHostNetwork();
    let sent = 0;
    const adapter = { receive: () => (sent++, true), hasRoom: true, isIdle: true };
    const settings = { reach: [], nameServers: [], isRouter: true };
    const nat = new Nat({ host, adapter, plan: NAT_PLAN, settings });
    fc.assert(
      fc.property(fc.oneof(frames, anything), (frame) => {
        nat.receive(frame);
        nat.flush();
        host.advance(10);
      }),
      { numRuns: 20_000 },
    );
    for (const { to } of host.streams) expect(to && classify(to.address)).toBe("public");
    for (const { sent: datagrams } of host.datagrams) {
      for (const { address, port } of datagrams)
        expect(classify(Uint8Array.from(address.split("."), Number)), `${address}:${port}`).toBe("public");
    }
    // The generator gets as far as that.
    expect([host.streams.length > 0, host.datagrams.length > 0, sent > 0]).toEqual([true, true, true]);
    expect(nat.leases.length).toBeLessThanOrEqual(240);
    nat.dispose();
  });

  it("do no harm to a firewall, which never lets through what its default denies", () => {
    const firewall = new Firewall({ defaultIn: "deny", defaultOut: "deny", rules: [] });
    fc.assert(
      fc.property(fc.oneof(frames, anything), fc.constantFrom("in" as const, "out" as const), (frame, direction) => {
        if (!firewall.passes(frame, direction)) return;
        const isArp = frame.bytes[12] === 8 && frame.bytes[13] === 6;
        const isDiscovery = frame.bytes[12] === 0x86;
        const ports = [frame.bytes[35], frame.bytes[37]];
        expect(isArp || isDiscovery || ports.every((port) => port === 67 || port === 68)).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(firewall.deniedFrames).toBeGreaterThan(1000);
  });

  it("are cut into bounded packets or dropped", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(withChecksum(frame).bytes.length).toBe(frame.bytes.length);
        for (const part of cut(frame)) expect(part.bytes.length).toBeLessThanOrEqual(frame.bytes.length);
      }),
      { numRuns: 5000 },
    );
  });

  it("make no DHCP request out of noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 236, maxLength: 400 }), (noise) => {
        noise.set([1, 1, 6]);
        noise.set([99, 130, 83, 99].slice(0, Math.max(0, noise.length - 236)), 236);
        const request = parseDhcp(noise);
        if (request) expect(request.mac).toHaveLength(6);
      }),
      { numRuns: 5000 },
    );
  });
});
