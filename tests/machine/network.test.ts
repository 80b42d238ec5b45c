// Networks as a real guest sees them: Starter Linux in VM processes of its own, on the NAT and on switches between machines.
import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { NetworkHub } from "../../main/services/network/hub.ts";
import { openDataFolder } from "../../main/store/data-folder.ts";
import { launchNodeProcess } from "../../main/supervisor/node-launcher.ts";
import { type AdapterConfig, defaultAdapter } from "../../native-core/config/network-settings.ts";
import { PROTOCOL, parseIp, transportChecksumOk } from "../../native-core/network/packets/ip.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { readPcapng } from "../support/pcapng-reader.ts";
import { StarterMachine, StarterVm } from "../support/vm/starter-vm.ts";
import { waitUntil } from "../support/wait-until.ts";

const TIMEOUT_MS = 240_000;
const temporary = temporaryFolder("network");
const running: StarterVm[] = [];
let machines = 0;

async function boot(adapter: AdapterConfig, changes: Parameters<StarterMachine["request"]>[0] = {}) {
  const machine = await StarterMachine.create(join(temporary.path, `machine-${++machines}`));
  const request = machine.request(changes);
  const config = { ...request.config, adapters: [adapter] };
  const vm = await StarterVm.start({ ...request, machineId: `00000000000${machines}`, config });
  running.push(vm);
  return vm.booted();
}

async function end(): Promise<void> {
  for (const vm of running.splice(0)) if (!vm.client.hasExited) await vm.kill();
}

/** Runs a command in the guest until it prints what is wanted: an address that comes by DHCP takes its time. */
async function eventually(vm: StarterVm, command: string, wanted: RegExp): Promise<string> {
  let last = "";
  await waitUntil(`${command} prints ${wanted}`, async () => wanted.test((last = await vm.command(command))), 60_000);
  return last;
}

/** Answers every question for an IPv4 address with 203.0.113.77. */
function nameServer(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(end - 4) === 1;
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 77]);
    const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    socket.send(Buffer.concat([header, query.subarray(12, end), isA ? answer : Buffer.alloc(0)]), from.port);
  });
  return new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket)));
}

function webServer(text: string): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (data: Buffer) => (bytes += data.length));
    request.on("end", () => response.end(request.method === "POST" ? `${bytes} bytes` : text));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** (busybox has an option for the time limit, with which its Debian build crashes.) */
const get = (host: string): string => `timeout 4 wget -q -O - http://${host}/ 2>&1`;
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

afterAll(() => temporary.remove());

describe("a machine on the NAT", () => {
  let vm: StarterVm;
  let adapter: AdapterConfig;
  let allowed: Server;
  let other: Server;
  let dns: Socket;

  const configure = (change: Partial<AdapterConfig>) =>
    vm.client.request("configureNetwork", { adapters: [{ ...adapter, ...change }] });
  const wget = (port: number) => get(`10.0.2.2:${port}`);

  beforeAll(async () => {
    allowed = await webServer("allowed\n".repeat(20_000));
    other = await webServer("other");
    dns = await nameServer();
    adapter = {
      ...defaultAdapter("nic0", "52:54:00:12:34:56"),
      reach: [`host:${portOf(allowed)}`],
      nameServers: [`127.0.0.1:${dns.address().port}`],
    };
    vm = await boot(adapter);
    await eventually(vm, "ip -4 addr show eth0", /inet 10\.0\.2\.15\/24/);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await end();
    allowed.close();
    other.close();
    dns.close();
  });

  it(
    "has an address, a route, a name server and an answer from the gateway",
    async () => {
      expect(await vm.command("ip route")).toContain("default via 10.0.2.2 dev eth0");
      expect(await vm.command("cat /etc/resolv.conf")).toBe("nameserver 10.0.2.3");
      expect(await vm.command("ping -c 2 10.0.2.2")).toContain("2 packets received, 0% packet loss");
      const [status] = await vm.client.request("networkStatus", null);
      expect(status?.leases).toEqual([{ address: "10.0.2.15", mac: "52:54:00:12:34:56", hostName: "starter" }]);
      expect(status?.isPlugged).toBe(true);
      const { network } = await vm.client.request("metrics", null);
      expect(network?.receivedFrames).toBeGreaterThan(3);
    },
    TIMEOUT_MS,
  );

  it(
    "has addresses for IPv6 too, and reaches by them what it reaches by the others",
    async () => {
      await eventually(vm, "ip -6 addr show eth0", /fd54:6572:7261:0:5054:ff:fe12:3456/);
      expect(await vm.command("ping -6 -c 1 fd54:6572:7261::2")).toContain("1 packets received");
      const page = (port: number) => vm.command(`${get(`[fd54:6572:7261::2]:${port}`)} | head -n 1`);
      expect(await page(portOf(allowed))).toBe("allowed");
      expect(await page(portOf(other))).toContain("refused");
    },
    TIMEOUT_MS,
  );

  it(
    "looks names up with the name server that was set",
    async () => {
      expect(await vm.command("nslookup some.name.test 2>&1")).toContain("203.0.113.77");
    },
    TIMEOUT_MS,
  );

  it(
    "reaches the port of the host that was allowed, and no other",
    async () => {
      expect(await vm.command(`${wget(portOf(allowed))} | md5sum`)).toContain(
        await vm.command("yes allowed | head -n 20000 | md5sum"),
      );
      expect(await vm.command(wget(portOf(other)))).toContain("refused");
      expect(await vm.command(get(`127.0.0.1:${portOf(allowed)}`))).toContain("refused");
      expect(await vm.command(get("169.254.169.254"))).toContain("refused");
    },
    TIMEOUT_MS,
  );

  it(
    "sends megabytes to the host without losing one",
    async () => {
      await vm.command("yes 0123456789abcde | head -c 4194304 > /tmp/data");
      const post = `wget -q -O - --post-file /tmp/data http://10.0.2.2:${portOf(allowed)}/`;
      expect(await vm.command(post)).toBe(`${4 << 20} bytes`);
    },
    TIMEOUT_MS,
  );

  it(
    "is reached through port forwards that come and go while it runs",
    async () => {
      await vm.command("httpd -p 80 -h /root/www");
      const probe = await webServer("");
      const hostPort = portOf(probe);
      const forward = { protocol: "tcp", hostAddress: "127.0.0.1", hostPort, guestAddress: "", guestPort: 80 } as const;
      const taken = { code: "PORT_TAKEN", message: expect.stringMatching(/another program uses it/) };
      await expect(configure({ forwards: [forward] })).rejects.toMatchObject(taken);
      await new Promise((resolve) => probe.close(resolve));
      await configure({ forwards: [forward] });
      const page = await (await fetch(`http://127.0.0.1:${hostPort}/`)).text();
      expect(page).toContain("Hello from Starter Linux");
      await configure({ forwards: [] });
      await expect(fetch(`http://127.0.0.1:${hostPort}/`)).rejects.toThrow();
    },
    TIMEOUT_MS,
  );

  it(
    "has its cable pulled and plugged in",
    async () => {
      await configure({ connected: false });
      await eventually(vm, "cat /sys/class/net/eth0/carrier", /^0$/);
      expect(await vm.command("ping -c 1 -W 1 10.0.2.2")).toContain("0 packets received");
      await configure({ connected: true });
      await eventually(vm, "cat /sys/class/net/eth0/carrier", /^1$/);
      await eventually(vm, "ping -c 1 -W 1 10.0.2.2", /1 packets received/);
    },
    TIMEOUT_MS,
  );

  it(
    "keeps to firewall rules from the moment they are there",
    async () => {
      const rule = {
        action: "deny",
        direction: "out",
        protocol: "tcp",
        address: "10.0.2.2",
        port: String(portOf(allowed)),
      } as const;
      await configure({ firewall: { defaultIn: "allow", defaultOut: "allow", rules: [rule] } });
      expect(await vm.command(wget(portOf(allowed)))).toContain("Terminated");
      expect(await vm.command("ping -c 1 -W 2 10.0.2.2")).toContain("1 packets received");
      await configure({ firewall: { defaultIn: "deny", defaultOut: "allow", rules: [] } });
      expect(await vm.command(`${wget(portOf(allowed))} | head -n 1`)).toBe("allowed");
      const [status] = await vm.client.request("networkStatus", null);
      expect(status?.counters.deniedFrames).toBeGreaterThan(0);
      await configure({});
    },
    TIMEOUT_MS,
  );

  it(
    "reads the files of its boot folder by TFTP, and no others",
    async () => {
      const folder = join(temporary.path, "boot");
      mkdirSync(folder);
      writeFileSync(join(folder, "loader.bin"), "first stage\n".repeat(5000));
      writeFileSync(join(temporary.path, "secret"), "not for guests");
      symlinkSync(join(temporary.path, "secret"), join(folder, "link"));
      const fetched = (name: string) => vm.command(`tftp -g -r ${name} -l - 10.0.2.2 2>&1 | md5sum | cut -c 1-32`);
      await configure({ bootFolder: folder, bootFile: "loader.bin" });
      const md5 = createHash("md5").update("first stage\n".repeat(5000)).digest("hex");
      expect(await fetched("loader.bin")).toBe(md5);
      expect(await vm.command("tftp -g -b 1400 -r /loader.bin -l - 10.0.2.2 | md5sum | cut -c 1-32")).toBe(md5);
      for (const name of ["../secret", "link", "missing", "."]) {
        expect(await vm.command(`tftp -g -r ${name} -l - 10.0.2.2 2>&1`), name).toContain("no such file");
      }
      await configure({});
    },
    TIMEOUT_MS,
  );

  it(
    "is held to its bandwidth limit",
    async () => {
      await configure({ receiveLimitKbit: 1000 });
      const time = await vm.command(`time sh -c '${wget(portOf(allowed))} | wc -c'`);
      expect(time).toContain("160000");
      // 160 kB at 125 kB/s.
      expect(Number(/real\s+0m\s*([\d.]+)s/.exec(time)?.[1])).toBeGreaterThan(0.9);
      await configure({});
    },
    TIMEOUT_MS,
  );

  it(
    "has its packets captured in a file that readers understand",
    async () => {
      const file = join(temporary.path, "capture.pcapng");
      await vm.client.request("capture", { adapterId: "nic0", file });
      await vm.command(`ping -c 1 10.0.2.2; ${wget(portOf(allowed))} > /dev/null`);
      await vm.client.request("capture", { adapterId: "nic0", file: null });
      const { interfaceName, packets } = readPcapng(readFileSync(file));
      expect(interfaceName).toBe("nic0");
      const parsed = packets.map(({ bytes, direction }) => ({ packet: parseIp(bytes), direction }));
      const echoes = parsed.filter(({ packet }) => packet?.protocol === PROTOCOL.ICMP);
      expect(echoes.map(({ direction }) => direction)).toEqual(["out", "in"]);
      const tcp = parsed.flatMap(({ packet }) => (packet?.protocol === PROTOCOL.TCP ? [packet] : []));
      expect(tcp.length).toBeGreaterThan(5);
      expect(tcp.every(transportChecksumOk)).toBe(true);
      expect(packets.every(({ atNs }, index) => index === 0 || atNs >= (packets[index - 1]?.atNs ?? 0n))).toBe(true);
      await expect(vm.client.request("capture", { adapterId: "nic0", file })).rejects.toMatchObject({
        details: { file },
      });
    },
    TIMEOUT_MS,
  );

  it(
    "goes on with its network after its state was saved and restored",
    async () => {
      const folder = join(vm.request.folder, "saved");
      await vm.client.request("saveState", { folder, parentFolder: null });
      await vm.client.exited;
      vm = await StarterVm.start({ ...vm.request, dataSocket: `${vm.request.dataSocket}2`, restoreFrom: folder });
      running.push(vm);
      await eventually(vm, "ping -c 1 -W 1 10.0.2.2", /1 packets received/);
      expect(await vm.command(`${wget(portOf(allowed))} | head -n 1`)).toBe("allowed");
    },
    TIMEOUT_MS,
  );
});

describe("machines on a switch", () => {
  let hub: NetworkHub;
  let hubSocket: string;

  beforeAll(async () => {
    hub = new NetworkHub(launchNodeProcess, await openDataFolder(join(temporary.path, "home")));
    hubSocket = await hub.socketPath();
    await hub.ensure();
  });
  afterEach(end);
  afterAll(() => hub.dispose());

  const on = (network: "internal" | "host-only", networkName: string, number: number): AdapterConfig => ({
    ...defaultAdapter("nic0", `52:54:00:00:00:0${number}`),
    network,
    networkName,
  });

  it(
    "reach each other by an internal network, whoever is killed",
    async () => {
      const [first, second, third] = await Promise.all([
        boot(on("internal", "lab", 1), { hubSocket }),
        boot(on("internal", "lab", 2), { hubSocket }),
        boot(on("internal", "elsewhere", 3), { hubSocket }),
      ]);
      for (const [index, vm] of [first, second, third].entries()) {
        await vm.command(`killall udhcpc; ip addr add 192.168.7.${index + 1}/24 dev eth0`);
      }
      await eventually(first, "ping -c 1 -W 1 192.168.7.2", /1 packets received/);
      expect(await first.command("ping -c 1 -W 1 192.168.7.3")).toContain("0 packets received");
      await second.command("httpd -p 80 -h /root/www");
      expect(await first.command("wget -q -O - http://192.168.7.2/")).toContain("Hello");
      const networks = await hub.status();
      expect(networks.find(({ name }) => name === "lab")?.ports).toHaveLength(2);

      process.kill((await hub.pid()) ?? 0, "SIGKILL");
      await waitUntil("the switch is back", async () => (await hub.status()).some(({ ports }) => ports.length === 2));
      await eventually(first, "ping -c 1 -W 1 192.168.7.2", /1 packets received/);

      await second.kill();
      expect(await first.command("echo alive; ping -c 1 -W 1 192.168.7.2")).toMatch(/alive[^]*0 packets received/);
      await waitUntil("its port is free", async () => (await hub.status()).some(({ ports }) => ports.length === 1));
    },
    TIMEOUT_MS,
  );

  it(
    "get addresses on a host-only network, reach each other, and the host where it is allowed",
    async () => {
      const server = await webServer("from the host");
      const [first, second] = await Promise.all([
        boot({ ...on("host-only", "office", 1), reach: [`host:${portOf(server)}`] }, { hubSocket }),
        boot(on("host-only", "office", 2), { hubSocket }),
      ]);
      const network = (await hub.status()).find(({ name }) => name === "office");
      const host = network?.hostAddress ?? "";
      const addressOf = async (vm: StarterVm) =>
        /inet (192\.168\.\d+\.\d+)/.exec(await eventually(vm, "ip -4 addr show eth0", /inet 192\.168/))?.[1] ?? "";
      const [one, two] = [await addressOf(first), await addressOf(second)];
      expect(one).not.toBe(two);
      expect(await first.command(`ping -c 1 -W 2 ${two}`)).toContain("1 packets received");
      expect(await first.command(`ping -c 1 -W 2 ${host}`)).toContain("1 packets received");
      expect(await first.command(get(`${host}:${portOf(server)}`))).toBe("from the host");
      expect(await second.command(get(`${host}:${portOf(server)}`))).toContain("refused");
      expect(await first.command("ip route")).not.toContain("default");
      expect(
        (await hub.status())
          .find(({ name }) => name === "office")
          ?.leases.map(({ address }) => address)
          .sort(),
      ).toEqual([one, two].sort());
      server.close();
    },
    TIMEOUT_MS,
  );
});
