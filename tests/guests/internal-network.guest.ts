// Linux's own drivers of every adapter on one internal network: files go between all pairs, also where one side leaves segments and
// checksums to its adapter and the other's knows neither.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { NetworkHub } from "../../main/services/network/hub.ts";
import { openDataFolder } from "../../main/store/data-folder.ts";
import { launchNodeProcess } from "../../main/supervisor/node-launcher.ts";
import { defaultMachineConfig } from "../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS, defaultAdapter } from "../../native-core/config/network-settings.ts";
import { debianKernel, initramfs, kernelModules } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { StarterVm } from "../support/vm/starter-vm.ts";

const TIMEOUT_MS = 900_000;
const BOOT_MS = 300_000;
const FLAVOUR = "amd64";
const SHARED_BYTES = 4 << 20;
const SCRIPT = `mkdir -p /www; yes 0123456789abcde | head -c ${SHARED_BYTES} > /www/file
echo GUEST-READY; while true; do setsid -c sh; done`;

const temporary = temporaryFolder("internal-network");
const guests: { readonly model: (typeof ADAPTER_MODELS)[number]; readonly address: string; readonly vm: StarterVm }[] =
  [];
let hub: NetworkHub;

beforeAll(async () => {
  hub = new NetworkHub(launchNodeProcess, await openDataFolder(join(temporary.path, "home")));
  await hub.ensure();
  const initrdFile = join(temporary.path, "initrd.img");
  const modules = await kernelModules(FLAVOUR, ["virtio_pci", "virtio_net", "e1000", "8139too", "af_packet"]);
  writeFileSync(initrdFile, (await initramfs(SCRIPT, modules)).bytes);
  const kernelFile = (await debianKernel(FLAVOUR)).file;
  const boot = {
    kernel: kernelFile,
    initrd: initrdFile,
    commandLine: "console=ttyS0 panic=-1 cryptomgr.notests quiet",
  };
  for (const [index, model] of ADAPTER_MODELS.entries()) {
    const folder = join(temporary.path, model);
    for (const name of ["chunks", "logs"]) mkdirSync(join(folder, name), { recursive: true });
    const adapter = { ...defaultAdapter("nic0", `52:54:00:00:00:0${index + 1}`), model, networkName: "lab" };
    const config = { ...defaultMachineConfig(model, boot), memoryMiB: 256 };
    const vm = await StarterVm.start({
      machineId: `00000000000${index + 1}`,
      config: { ...config, adapters: [{ ...adapter, network: "internal" }] },
      ...{ folder, chunkFolder: join(folder, "chunks"), logFolder: join(folder, "logs") },
      ...{ kernelFile, initrdFile, disks: [], restoreFrom: null, startPaused: false },
      ...{ hubSocket: await hub.socketPath(), dataSocket: join(folder, "data.sock") },
    });
    guests.push({ model, address: `192.168.7.${index + 1}`, vm });
    await vm.expect(/GUEST-READY/, BOOT_MS);
    await vm.command(`ip link set eth0 up; ip addr add 192.168.7.${index + 1}/24 dev eth0; httpd -p 80 -h /www`);
  }
}, TIMEOUT_MS);

afterAll(async () => {
  for (const { vm } of guests) await vm.kill();
  hub.dispose();
  temporary.remove();
});

const pairs = ADAPTER_MODELS.flatMap((from) => ADAPTER_MODELS.filter((to) => to !== from).map((to) => [from, to]));

it.each(pairs)(
  "a machine with %s gets a file from one with %s",
  async (from, to) => {
    const client = guests.find(({ model }) => model === from);
    const server = guests.find(({ model }) => model === to);
    if (!client || !server) throw new Error("there is a guest with each");
    const sum = await server.vm.command("sha256sum < /www/file");
    expect(await client.vm.command(`wget -q -O - http://${server.address}/file | sha256sum`)).toBe(sum);
    expect(await client.vm.command("cat /sys/class/net/eth0/statistics/rx_errors")).toBe("0");
  },
  TIMEOUT_MS,
);
