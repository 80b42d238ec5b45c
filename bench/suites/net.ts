// Suite `net`: virtio-net on user-mode NAT, ours and QEMU's slirp; throughput both ways, round trips, connections.
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { directory, file } from "../../main/services/unattended/cpio.ts";
import { amd64Image, kernelModules } from "../guests/images.ts";
import type { RunningGuest } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { median, type Report, type ReportRow } from "../table.ts";
import { inRounds } from "./rounds.ts";

const MIB = 1 << 20;
const DOWNLOAD_MIB = 256;
const UPLOAD_MIB = 64;
/** The guest serves the same file several times. */
const UPLOADS = 4;
const PINGS = 500;
const REQUESTS = 100;
const CONNECTIONS = 200;
const STEP_MS = 300_000;

/** Milliseconds of each step. */
interface Times {
  readonly download: number;
  readonly upload: number;
  readonly ping: number;
  readonly requests: number;
  readonly connections: number;
}

const init = (modules: readonly string[], port: number): string => `#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t tmpfs tmpfs /tmp
$B --install -s /bin
export PATH=/bin
for m in ${modules.join(" ")}; do insmod /modules/$m.ko; done
while [ ! -d /sys/class/net/eth0 ]; do usleep 10000; done
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
mkdir /tmp/www
head -c ${UPLOAD_MIB * MIB} /dev/zero > /tmp/www/file
while ! ping -c 1 -W 1 10.0.2.2 >/dev/null; do :; done
URL=http://10.0.2.2:${port}
wget -q -O /dev/null $URL/warm
echo "MARK begin ping"
ping -q -A -c ${PINGS} 10.0.2.2 >/dev/null
echo "MARK end ping"
echo "MARK begin requests"
i=0; while [ $i -lt ${REQUESTS} ]; do wget -q -O /dev/null $URL/small; i=$((i+1)); done
echo "MARK end requests"
wget -q -O /dev/null $URL/big
echo "MARK begin download"
wget -q -O /dev/null $URL/big
echo "MARK end download"
httpd -p 80 -h /tmp/www
echo "MARK serving"
while :; do sleep 100; done
`;

export async function netSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const server = await webServer();
  try {
    const reachPort = (server.address() as AddressInfo).port;
    const ports = { web: await freePort(), closed: await freePort() };
    const modules = await kernelModules(["virtio_pci", "virtio_net"]);
    const image = await amd64Image(
      "net",
      init(
        modules.map(({ name }) => name),
        reachPort,
      ),
      [directory("modules"), ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data))],
    );
    const guest = {
      kernel: image.kernel,
      initrd: image.initrd,
      commandLine: "console=ttyS0 quiet panic=-1",
      memoryMiB: 256,
      network: { reachPort, forwards: [[ports.web, 80] as const, [ports.closed, 81] as const] },
    };
    const participants = [TERRARIUM, QEMU].map((peer) => ({ peer, guest }));
    const { results, versions, missing } = await inRounds<Times>(rounds, participants, progress, (running) =>
      measure(running, ports),
    );
    const row = (what: string, unit: string, value: (times: Times) => number): ReportRow => ({
      what,
      unit,
      values: Object.fromEntries([...results].map(([peer, runs]) => [peer, median(runs.map(value))])),
    });
    const rows = [
      row(`host to guest, ${DOWNLOAD_MIB} MiB by HTTP`, "MB/s", ({ download }) => perSecond(DOWNLOAD_MIB, download)),
      row(`guest to host, ${UPLOADS} x ${UPLOAD_MIB} MiB by HTTP through a forward`, "MB/s", ({ upload }) =>
        perSecond(UPLOADS * UPLOAD_MIB, upload),
      ),
      row(`round trip, ${PINGS} echo requests to the gateway`, "ms", ({ ping }) => ping / PINGS),
      row(
        `${CONNECTIONS} connections to a closed port of the guest`,
        "ms each",
        ({ connections }) => connections / CONNECTIONS,
      ),
      row(`${REQUESTS} requests, a wget each`, "ms each", ({ requests }) => requests / REQUESTS),
    ];
    return { suite: "net", versions, missing, rounds, rows, notes: [] };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function measure(guest: RunningGuest, ports: { readonly web: number; readonly closed: number }): Promise<Times> {
  await guest.waitFor("serving", STEP_MS);
  const start = performance.now();
  for (let i = 0; i < UPLOADS; i++) await fetchAll(`http://127.0.0.1:${ports.web}/file`);
  const upload = performance.now() - start;
  const begin = performance.now();
  for (let i = 0; i < CONNECTIONS; i++) await connectAndWait(ports.closed);
  const connections = performance.now() - begin;
  const step = (name: string) =>
    (guest.marks.get(`end ${name}`) ?? Number.NaN) - (guest.marks.get(`begin ${name}`) ?? Number.NaN);
  return { download: step("download"), upload, ping: step("ping"), requests: step("requests"), connections };
}

async function fetchAll(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(STEP_MS) });
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += (chunk as Uint8Array).length;
  if (bytes !== UPLOAD_MIB * MIB) throw new Error(`${bytes} bytes came from the guest`);
}

/** The forward accepts; what the guest says to it comes as the end. */
function connectAndWait(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.resume();
  });
}

const perSecond = (mebibytes: number, ms: number): number => (mebibytes * MIB) / 1000 / ms;

function webServer(): Promise<Server> {
  const block = Buffer.alloc(MIB);
  const server = createServer((request, response) => {
    if (request.url !== "/big") return void response.end("small");
    response.setHeader("content-length", DOWNLOAD_MIB * MIB);
    let left = DOWNLOAD_MIB;
    const more = (): void => {
      while (left > 0) {
        left--;
        if (!response.write(block)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** One that nobody has at this moment. */
function freePort(): Promise<number> {
  const probe = createTcpServer();
  return new Promise((resolve) =>
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    }),
  );
}
