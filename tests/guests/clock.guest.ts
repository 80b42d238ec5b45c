// The date of a guest whose host slept: the whole VM process, with a wall clock that jumps and a monotonic one that does not.
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { launchNodeProcess } from "../../main/supervisor/node-launcher.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { StarterMachine, StarterVm } from "../support/vm/starter-vm.ts";

const MODULE = fileURLToPath(new URL("../support/vm/sleeping-vm-process.ts", import.meta.url));
const HOUR_MS = 3_600_000;

let end: () => Promise<void>;
afterEach(() => end());

it("is right within a second after each sleep, and while its host is awake", async () => {
  const folder = temporaryFolder("clock");
  const machine = await StarterMachine.create(folder.path);
  const vm = await StarterVm.start(machine.request(), () => launchNodeProcess(MODULE));
  end = async () => {
    await vm.kill();
    folder.remove();
  };
  await vm.booted();
  const { pid } = vm.client;
  if (pid === undefined) throw new Error("the VM process has no number");
  for (let slept = 0; slept <= 2; slept++) {
    // Kernels before 6.10 add more than 18 minutes with the next tick only, not with the first look.
    const from = Date.now() + slept * HOUR_MS;
    const date = Number(await vm.command("sleep 0.1; date +%s")) * 1000;
    const to = Date.now() + slept * HOUR_MS;
    // Whole seconds: the guest's clock is up to one further.
    expect([slept, date + 1000 > from - 1000, date <= to + 1000]).toEqual([slept, true, true]);
    process.kill(pid, "SIGUSR2");
  }
}, 400_000);
