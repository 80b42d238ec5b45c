// Adapters that real machines have, with Debian's own drivers: an unmodified kernel finds them, and its network works.
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { NetworkGuest } from "../support/network-guest.ts";

const content = Buffer.alloc(3 << 20, "what a machine without virtio drivers gets\n");
let server: Server;
let guest: NetworkGuest | undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (data: Buffer) => (bytes += data.length));
    request.on("end", () => response.end(request.method === "POST" ? `got ${bytes}` : content));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => guest?.dispose());
afterAll(() => void server.close());

it.each([
  ["e1000", "NIC Link is Down", "NIC Link is Up"],
  ["rtl8139", "eth0: link down", "eth0: link up"],
] as const)(
  "an %s gets an address, and moves megabytes both ways unharmed",
  async (model, down, up) => {
    const url = `http://10.0.2.2:${(server.address() as AddressInfo).port}/`;
    const createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
    guest = await NetworkGuest.start(createProcessor, { reach: ["host"] }, undefined, model);
    await guest.guest.waitFor("GUEST-READY");
    expect(await guest.command("cat /sys/class/net/eth0/address")).toContain("52:54:00:12:34:56");
    expect(await guest.command("ip link set eth0 up; udhcpc -i eth0 -q -n")).toContain("lease of 10.0.2.15 obtained");
    expect(await guest.command(`wget -q -O - ${url} | sha256sum`)).toContain(
      createHash("sha256").update(content).digest("hex"),
    );
    await guest.command("yes 0123456789abcde | head -c 2097152 > /tmp/data");
    expect(await guest.command(`wget -q -O - --post-file /tmp/data ${url}`)).toContain(`got ${2 << 20}`);
    guest.adapter.setLink(false);
    await guest.guest.waitFor(down);
    guest.adapter.setLink(true);
    await guest.guest.waitFor(up, guest.guest.console.indexOf(down));
  },
  300_000,
);
