// The NAT against a scripted guest on one side and a scripted host on the other.
import { beforeEach, describe, expect, it } from "vitest";
import { parseAddress } from "../../../native-core/network/addresses.ts";
import { Frame } from "../../../native-core/network/frame.ts";
import { NAT_PLAN } from "../../../native-core/network/nat/address-plan.ts";
import { fragments } from "../../../native-core/network/nat/fragment.ts";
import { Nat, type NatSettings } from "../../../native-core/network/nat/nat.ts";
import { withChecksum } from "../../../native-core/network/offload.ts";
import { ETHER_TYPE, newFrame } from "../../../native-core/network/packets/ethernet.ts";
import { icmpFrame } from "../../../native-core/network/packets/icmp.ts";
import { type IpPacket, PROTOCOL, parseIp, sourceOf } from "../../../native-core/network/packets/ip.ts";
import { parseTcp, TCP_FLAG, type TcpSegment, tcpFrame } from "../../../native-core/network/packets/tcp.ts";
import { parseUdp, udpFrame } from "../../../native-core/network/packets/udp.ts";
import { FakeHostNetwork, FakeStream } from "../../support/fake-host-network.ts";

const GUEST_MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const GUEST = address("10.0.2.15");
const GATEWAY = address("10.0.2.2");
const PUBLIC = address("93.184.216.34");
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

let host: FakeHostNetwork;
let nat: Nat;
let sent: Frame[];
let hasRoom: boolean;

function make(settings: Partial<NatSettings> = {}): void {
  host = new FakeHostNetwork();
  sent = [];
  hasRoom = true;
  nat = new Nat({
    host,
    adapter: {
      receive: (frame) => (sent.push(frame), true),
      get hasRoom() {
        return hasRoom;
      },
      isIdle: true,
    },
    plan: NAT_PLAN,
    settings: { reach: [], nameServers: [], isRouter: true, ...settings },
    guestMac: GUEST_MAC,
  });
}

beforeEach(() => make());

const template = (destination: Uint8Array, source = GUEST) => ({
  sourceMac: GUEST_MAC,
  destinationMac: NAT_PLAN.gatewayMac,
  source,
  destination,
});

function fromGuest(frame: Frame): void {
  nat.receive(frame);
  nat.flush();
}

function takeTcp(): (TcpSegment & { payload: string })[] {
  return sent.splice(0).flatMap((frame) => {
    const packet = parseIp(frame.bytes);
    const segment = packet?.protocol === PROTOCOL.TCP ? parseTcp(packet) : undefined;
    if (!segment) return [];
    const payload = Buffer.from(frame.bytes.subarray(segment.payloadStart, segment.payloadEnd)).toString("latin1");
    return [{ ...segment, payload }];
  });
}

/** A guest's end of one connection. */
class GuestTcp {
  next = 1000;
  acknowledged = 0;
  readonly to: Uint8Array;
  readonly port: number;
  readonly ownPort: number;

  constructor(to: Uint8Array, port: number, ownPort = 4000) {
    this.to = to;
    this.port = port;
    this.ownPort = ownPort;
  }

  send(flags: number, text = "", window = 0xffff, options = {}): void {
    const ports = { sourcePort: this.ownPort, destinationPort: this.port };
    const fields = { ...ports, sequence: this.next, acknowledgment: this.acknowledged, flags, window, ...options };
    const bytes = latin1(text);
    fromGuest(tcpFrame(template(this.to), fields, bytes.length, 65_535, (target) => target.set(bytes)));
    this.next = (this.next + bytes.length + (flags & TCP_FLAG.SYN ? 1 : 0) + (flags & TCP_FLAG.FIN ? 1 : 0)) >>> 0;
  }

  /** Opens the connection; yields the host's side. */
  open(window = 0xffff, windowScale = 0): FakeStream {
    this.send(TCP_FLAG.SYN, "", window, { mss: 1460, windowScale });
    const stream = host.streams.at(-1) as FakeStream;
    stream.events.connected();
    const [answer] = takeTcp();
    expect(answer).toMatchObject({ flags: TCP_FLAG.SYN | TCP_FLAG.ACK, acknowledgment: this.next, mss: 1460 });
    this.acknowledged = ((answer?.sequence ?? 0) + 1) >>> 0;
    this.send(TCP_FLAG.ACK, "", window);
    expect(takeTcp()).toEqual([]);
    return stream;
  }

  acknowledge(bytes: number, window = 0xffff): void {
    this.acknowledged = (this.acknowledged + bytes) >>> 0;
    this.send(TCP_FLAG.ACK, "", window);
  }
}

describe("TCP through the NAT", () => {
  it("ends at the gateway's own HTTP server, where the machine boots from", async () => {
    const boot = { file: "menu.ipxe", read: async () => latin1("#!ipxe") };
    make({ boot });
    const tcp = new GuestTcp(GATEWAY, 80);
    tcp.send(TCP_FLAG.SYN);
    await Promise.resolve();
    const [answer] = takeTcp();
    expect(answer).toMatchObject({ flags: TCP_FLAG.SYN | TCP_FLAG.ACK });
    tcp.acknowledged = ((answer?.sequence ?? 0) + 1) >>> 0;
    tcp.send(TCP_FLAG.ACK | TCP_FLAG.PSH, "GET /menu.ipxe HTTP/1.0\r\n\r\n");
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    expect(
      takeTcp()
        .map(({ payload }) => payload)
        .join(""),
    ).toMatch(/^HTTP\/1\.1 200 OK[^]*#!ipxe$/);
    expect(host.streams).toEqual([]);
  });

  it("connects the guest to a public address and carries data both ways", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    expect(stream.to).toEqual({ address: PUBLIC, port: 80 });
    tcp.send(TCP_FLAG.ACK | TCP_FLAG.PSH, "GET /");
    expect(stream.written).toBe("GET /");
    expect(takeTcp()).toMatchObject([{ flags: TCP_FLAG.ACK, acknowledgment: tcp.next }]);
    stream.events.data(latin1("hello"));
    expect(takeTcp()).toMatchObject([{ payload: "hello", sequence: tcp.acknowledged }]);
  });

  it("refuses at once what the host could not connect to", () => {
    const tcp = new GuestTcp(PUBLIC, 81);
    tcp.send(TCP_FLAG.SYN);
    host.streams[0]?.events.closed("refused");
    expect(takeTcp()).toMatchObject([{ flags: TCP_FLAG.RST | TCP_FLAG.ACK, acknowledgment: tcp.next }]);
  });

  it("hands over data once, in order, whatever the guest repeats", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    tcp.send(TCP_FLAG.ACK, "abc");
    tcp.next -= 2;
    tcp.send(TCP_FLAG.ACK, "bcd");
    tcp.next += 5;
    tcp.send(TCP_FLAG.ACK, "later");
    expect(stream.written).toBe("abcd");
  });

  it("closes in both directions, each when its side is done", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    tcp.send(TCP_FLAG.ACK | TCP_FLAG.FIN, "last");
    expect([stream.written, stream.ended]).toEqual(["last", true]);
    takeTcp();
    stream.events.data(latin1("rest"));
    stream.events.ended();
    stream.events.closed("done");
    const out = takeTcp();
    expect(out.map(({ payload, flags }) => [payload, flags & TCP_FLAG.FIN])).toEqual([
      ["rest", 0],
      ["", TCP_FLAG.FIN],
    ]);
    tcp.acknowledge(5);
    host.advance(300_000);
    expect(takeTcp()).toEqual([]);
    // The connection is forgotten: the guest may use its port again, and a stray segment is answered with a reset.
    tcp.send(TCP_FLAG.ACK, "x");
    expect(takeTcp()).toMatchObject([{ flags: TCP_FLAG.RST }]);
  });

  it("sends no more than the guest's window, and goes on when it opens", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open(4000);
    stream.events.data(latin1("x".repeat(10_000)));
    expect(takeTcp().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(4000);
    tcp.acknowledge(4000, 8000);
    expect(takeTcp().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(6000);
  });

  it("uses the window scale that both sides offered", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open(1000, 3);
    stream.events.data(latin1("x".repeat(10_000)));
    expect(takeTcp().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(8000);
  });

  it("pauses the host while the guest does not take its data", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open(1000);
    for (let i = 0; i < 20 && !stream.paused; i++) stream.events.data(new Uint8Array(100_000));
    expect(stream.paused).toBe(true);
  });

  it("offers the guest a smaller window while the host's kernel does not take its data", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    stream.unsentBytes = 1 << 20;
    tcp.send(TCP_FLAG.ACK, "more");
    expect(takeTcp()).toMatchObject([{ window: 0, acknowledgment: tcp.next - 4 }]);
    expect(stream.written).toBe("");
    stream.unsentBytes = 0;
    stream.events.drained();
    expect(takeTcp()[0]?.window).toBeGreaterThan(4000);
  });

  it("sends again what was lost, sooner after three duplicate acknowledgments", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    stream.events.data(latin1("abc"));
    takeTcp();
    host.advance(1000);
    expect(takeTcp()).toMatchObject([{ payload: "abc" }]);
    for (let i = 0; i < 3; i++) tcp.acknowledge(0);
    expect(takeTcp()).toMatchObject([{ payload: "abc" }]);
  });

  it("probes a closed window until it opens, and gives up on a guest that never answers", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open(0);
    stream.events.data(latin1("abc"));
    expect(takeTcp()).toEqual([]);
    host.advance(1000);
    expect(takeTcp()).toMatchObject([{ payload: "a" }]);
    host.advance(600_000);
    expect(takeTcp().at(-1)?.flags).toBe(TCP_FLAG.RST | TCP_FLAG.ACK);
    expect(stream.aborted).toBe(true);
    expect(host.timers).toBe(1);
  });

  it("waits while the adapter has no room", () => {
    const tcp = new GuestTcp(PUBLIC, 80);
    const stream = tcp.open();
    hasRoom = false;
    stream.events.data(latin1("abc"));
    expect(takeTcp()).toEqual([]);
    hasRoom = true;
    nat.roomAgain();
    expect(takeTcp()).toMatchObject([{ payload: "abc" }]);
  });

  it("passes resets on, both ways", () => {
    const first = new GuestTcp(PUBLIC, 80);
    const stream = first.open();
    first.send(TCP_FLAG.RST);
    expect(stream.aborted).toBe(true);
    const second = new GuestTcp(PUBLIC, 80, 4001);
    second.open().events.closed("failed");
    expect(takeTcp()).toMatchObject([{ flags: TCP_FLAG.RST | TCP_FLAG.ACK }]);
  });

  it("takes segments with a wrong checksum for lost", () => {
    const frame = withChecksum(
      tcpFrame(template(PUBLIC), {
        sourcePort: 1,
        destinationPort: 2,
        sequence: 0,
        acknowledgment: 0,
        flags: TCP_FLAG.SYN,
        window: 0,
      }),
    );
    const checksum = frame.bytes[50] as number;
    frame.bytes[50] = checksum ^ 1;
    fromGuest(frame);
    expect(host.streams).toEqual([]);
    frame.bytes[50] = checksum;
    fromGuest(frame);
    expect(host.streams).toHaveLength(1);
  });

  it("opens a bounded number of connections, and not all at once", () => {
    let next = 1;
    const open = (count: number) => {
      for (let i = 0; i < count; i++) new GuestTcp(PUBLIC, 80, next++).send(TCP_FLAG.SYN);
    };
    open(1010);
    expect(host.streams).toHaveLength(1000);
    expect(takeTcp()).toEqual([]);
    host.advance(1000);
    open(100);
    expect(host.streams).toHaveLength(1024);
    expect(takeTcp().filter(({ flags }) => flags & TCP_FLAG.RST)).toHaveLength(76);
    host.advance(31_000);
    expect(host.streams.every(({ aborted }) => aborted)).toBe(true);
  });
});

describe("what the NAT reaches", () => {
  const reaches = (to: string, port: number) => {
    const before = host.streams.length;
    new GuestTcp(address(to), port, 5000 + before).send(TCP_FLAG.SYN);
    const stream = host.streams[before];
    return stream?.to && `${stream.to.address.join(".")}:${stream.to.port}`;
  };

  it("never is the host, its neighbours or private networks by itself", () => {
    host.own = [address("203.0.113.7")];
    for (const to of ["10.0.2.2", "127.0.0.1", "0.0.0.0", "169.254.169.254", "192.168.1.1", "172.16.0.1", "10.1.2.3"]) {
      expect(reaches(to, 80), to).toBeUndefined();
    }
    for (const to of ["100.64.0.1", "224.0.0.1", "255.255.255.255", "203.0.113.7", "10.0.2.99"]) {
      expect(reaches(to, 80), to).toBeUndefined();
    }
    expect(reaches("8.8.8.8", 80)).toBe("8.8.8.8:80");
  });

  it("is the host at 10.0.2.2 where the user allowed the port", () => {
    make({ reach: ["host:8080", "192.168.1.0/24:445"] });
    expect([reaches("10.0.2.2", 8080), reaches("10.0.2.2", 8081)]).toEqual(["127.0.0.1:8080", undefined]);
    expect([reaches("192.168.1.9", 445), reaches("192.168.1.9", 80)]).toEqual(["192.168.1.9:445", undefined]);
  });

  it("changes while connections are open", () => {
    expect(reaches("10.0.2.2", 80)).toBeUndefined();
    nat.configure({ reach: ["host"], nameServers: [], isRouter: true });
    expect(reaches("10.0.2.2", 80)).toBe("127.0.0.1:80");
  });

  it("is nothing under a foreign source address", () => {
    const fields = { sourcePort: 1, destinationPort: 80, sequence: 0, acknowledgment: 0, flags: 2, window: 0 };
    fromGuest(tcpFrame(template(PUBLIC, address("10.0.3.1")), fields));
    expect(host.streams).toEqual([]);
  });
});

describe("UDP through the NAT", () => {
  const takeUdp = () =>
    sent.splice(0).flatMap((frame) => {
      const packet = parseIp(frame.bytes) as IpPacket;
      const datagram = packet.protocol === PROTOCOL.UDP ? parseUdp(packet) : undefined;
      const from = sourceOf(packet).join(".");
      if (!datagram) return [];
      return [{ from, ...datagram, payload: Buffer.from(datagram.payload).toString("latin1") }];
    });

  it("passes datagrams on and brings back only what the guest has asked for", () => {
    fromGuest(udpFrame(template(PUBLIC), 5000, 123, latin1("time?")));
    const [socket] = host.datagrams;
    expect(socket?.sent).toEqual([{ payload: "time?", address: "93.184.216.34", port: 123 }]);
    socket?.receive(latin1("now"), PUBLIC, 123);
    socket?.receive(latin1("spoofed"), address("6.6.6.6"), 123);
    socket?.receive(latin1("other port"), PUBLIC, 124);
    expect(takeUdp()).toMatchObject([
      { payload: "now", from: "93.184.216.34", sourcePort: 123, destinationPort: 5000 },
    ]);
  });

  it("asks the host's name server for 10.0.2.3, and answers in its name", () => {
    fromGuest(udpFrame(template(address("10.0.2.3")), 5353, 53, latin1("query")));
    const [socket] = host.datagrams;
    expect(socket?.sent).toEqual([{ payload: "query", address: "9.9.9.9", port: 53 }]);
    socket?.receive(latin1("answer"), address("9.9.9.9"), 53);
    expect(takeUdp()).toMatchObject([{ payload: "answer", from: "10.0.2.3", sourcePort: 53 }]);
  });

  it("asks the next name server when one does not answer, and stays with one that does", () => {
    const server = (last: number) => ({ address: address(`192.0.2.${last}`), port: 53 });
    make({ nameServers: [server(1), server(2)] });
    const ask = (count: number) => {
      for (let i = 0; i < count; i++) fromGuest(udpFrame(template(address("10.0.2.3")), 5353, 53, latin1("query")));
      return host.datagrams[0]?.sent
        .splice(0)
        .map((datagram) => datagram.address.at(-1))
        .join("");
    };
    expect(ask(6)).toBe("111122");
    host.datagrams[0]?.receive(latin1("answer"), address("192.0.2.2"), 53);
    expect(ask(4)).toBe("2222");
    host.datagrams[0]?.receive(latin1("answer"), address("192.0.2.2"), 53);
    expect(ask(6)).toBe("222211");
  });

  it("tells the guest where it may not send", () => {
    fromGuest(udpFrame(template(address("192.168.0.1")), 5000, 53, latin1("x")));
    expect(host.datagrams).toEqual([]);
    const packet = parseIp(sent[0]?.bytes as Uint8Array) as IpPacket;
    expect([...packet.bytes.subarray(packet.transport, packet.transport + 2)]).toEqual([3, 13]);
  });

  it("carries datagrams larger than the wire in fragments, both ways", () => {
    const large = latin1("0123456789".repeat(500));
    const [first, ...others] = fragments(udpFrame(template(PUBLIC), 5000, 9, large));
    for (const part of others) fromGuest(part);
    expect(host.datagrams).toEqual([]);
    fromGuest(first as Frame);
    expect(host.datagrams[0]?.sent[0]?.payload).toBe("0123456789".repeat(500));
    host.datagrams[0]?.receive(large, PUBLIC, 9);
    expect(sent.map(({ bytes }) => bytes.length)).toEqual([1514, 1514, 1514, 602]);
  });

  it("closes sockets that nobody uses any more, and then has no timer left", () => {
    fromGuest(udpFrame(template(PUBLIC), 5000, 123, latin1("x")));
    expect(host.timers).toBe(2);
    host.advance(61_000);
    expect(host.datagrams[0]?.closed).toBe(true);
    expect(host.timers).toBe(1);
  });

  it("keeps a bounded number of sockets, dropping those out of use for longest", () => {
    for (let port = 1; port <= 600; port++) {
      host.atMs++;
      fromGuest(udpFrame(template(PUBLIC), port, 123, latin1("x")));
    }
    expect(host.datagrams.filter(({ closed }) => !closed)).toHaveLength(512);
    expect(host.datagrams[0]?.closed).toBe(true);
  });
});

describe("port forwards", () => {
  const forward = (protocol: "tcp" | "udp", hostPort: number, guestPort: number) => ({
    protocol,
    host: { address: address("127.0.0.1"), port: hostPort },
    guestAddress: undefined,
    guestPort,
  });

  it("call the guest for each connection and hold the host's data back until it answers", async () => {
    expect(await nat.forward([forward("tcp", 8080, 80)])).toEqual([]);
    const stream = new FakeStream();
    stream.events = host.listeners.get(8080)?.(stream) as FakeStream["events"];
    expect(stream.paused).toBe(true);
    const [syn] = takeTcp();
    expect(syn).toMatchObject({ flags: TCP_FLAG.SYN, destinationPort: 80, mss: 1460 });
    const tcp = new GuestTcp(GATEWAY, syn?.sourcePort ?? 0, 80);
    tcp.acknowledged = ((syn?.sequence ?? 0) + 1) >>> 0;
    tcp.send(TCP_FLAG.SYN | TCP_FLAG.ACK, "", 1000, { mss: 1460 });
    expect(stream.paused).toBe(false);
    stream.events.data(latin1("GET /"));
    expect(takeTcp().at(-1)).toMatchObject({ payload: "GET /" });
    tcp.acknowledge(5);
    tcp.send(TCP_FLAG.ACK, "200 OK");
    expect(stream.written).toBe("200 OK");
  });

  it("are reset when the guest refuses", async () => {
    await nat.forward([forward("tcp", 8080, 80)]);
    const stream = new FakeStream();
    stream.events = host.listeners.get(8080)?.(stream) as FakeStream["events"];
    const [syn] = takeTcp();
    const tcp = new GuestTcp(GATEWAY, syn?.sourcePort ?? 0, 80);
    tcp.acknowledged = ((syn?.sequence ?? 0) + 1) >>> 0;
    tcp.send(TCP_FLAG.RST | TCP_FLAG.ACK);
    expect(stream.aborted).toBe(true);
  });

  it("carry datagrams to the guest and its answers back", async () => {
    await nat.forward([forward("udp", 5000, 53)]);
    const [socket] = host.datagrams;
    socket?.receive(latin1("query"), address("127.0.0.1"), 40_000);
    const packet = parseIp(sent.splice(0)[0]?.bytes as Uint8Array) as IpPacket;
    const query = parseUdp(packet);
    expect(query).toMatchObject({ destinationPort: 53 });
    fromGuest(udpFrame(template(GATEWAY), 53, query?.sourcePort ?? 0, latin1("answer")));
    expect(socket?.sent).toEqual([{ payload: "answer", address: "127.0.0.1", port: 40_000 }]);
  });

  it("open and close while the machine runs, and say which could not be opened", async () => {
    host.takenPorts.add(2);
    const failures = await nat.forward([forward("tcp", 1, 1), forward("tcp", 2, 2)]);
    expect(failures.map((failure) => failure.forward.host.port)).toEqual([2]);
    await nat.forward([forward("tcp", 3, 3)]);
    expect([...host.listeners.keys()]).toEqual([3]);
    nat.dispose();
    expect([...host.listeners.keys()]).toEqual([]);
  });
});

describe("the NAT's own services", () => {
  it("answers ARP for the gateway and the name server only", () => {
    const ask = (target: string) => {
      const frame = newFrame(new Uint8Array(6).fill(0xff), GUEST_MAC, ETHER_TYPE.ARP, 28);
      frame.set([0, 1, 8, 0, 6, 4, 0, 1, ...GUEST_MAC, ...GUEST, 0, 0, 0, 0, 0, 0, ...address(target)], 14);
      fromGuest(new Frame(frame));
      return sent.splice(0).map(({ bytes }) => [...bytes.subarray(22, 28)]);
    };
    expect(ask("10.0.2.2")).toEqual([[...NAT_PLAN.gatewayMac]]);
    expect(ask("10.0.2.3")).toEqual([[...NAT_PLAN.gatewayMac]]);
    expect(ask("10.0.2.15")).toEqual([]);
  });

  it("answers echo requests to itself and passes those to allowed addresses on", async () => {
    const echo = (to: Uint8Array) => fromGuest(icmpFrame(template(to), 8, 0, latin1("\x00\x01\x00\x01ping")));
    const types = () => sent.splice(0).map(({ bytes }) => bytes[34]);
    echo(GATEWAY);
    expect(types()).toEqual([0]);
    echo(PUBLIC);
    await Promise.resolve();
    await Promise.resolve();
    expect([types(), host.pinged]).toEqual([[0], ["93.184.216.34"]]);
    echo(address("192.168.1.1"));
    expect([types(), host.pinged]).toEqual([[3], ["93.184.216.34"]]);
  });

  it("gives addresses by DHCP", () => {
    const request = new Uint8Array(300);
    request.set([1, 1, 6, 0, 1, 2, 3, 4]);
    request.set(GUEST_MAC, 28);
    request.set([99, 130, 83, 99, 53, 1, 1, 12, 5, 104, 60, 98, 49, 62, 255], 236);
    const frame = udpFrame(
      { ...template(address("255.255.255.255"), address("0.0.0.0")), destinationMac: new Uint8Array(6).fill(0xff) },
      68,
      67,
      request,
    );
    fromGuest(frame);
    const reply = parseUdp(parseIp(sent[0]?.bytes as Uint8Array) as IpPacket)?.payload as Uint8Array;
    expect([reply[0], [...reply.subarray(4, 8)], [...reply.subarray(16, 20)]]).toEqual([
      2,
      [1, 2, 3, 4],
      [10, 0, 2, 15],
    ]);
    expect(nat.leases).toMatchObject([{ mac: "52:54:00:01:02:03", hostName: "hb1" }]);
  });
});
