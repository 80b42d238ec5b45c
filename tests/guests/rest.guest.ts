// How often a Linux wakes up that has nothing to do: counted in virtual time, so the same on every host.
import { expect, it } from "vitest";
import { STARTER_COMMAND_LINE } from "../../main/services/machines/creation.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { ROOT_FILES } from "../../scripts/starter/root-files.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

const SECONDS = 20;
const LIMIT_MS = 120_000;

/** Wake-ups per second of a guest that sleeps, a while after its script has come to its end. */
async function wakeUps(commandLine: string, script: string): Promise<number> {
  const guest = await LinuxGuest.start({
    flavour: "cloud-amd64",
    commandLine,
    script: `${script}\necho "clock: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"\nsleep 1000`,
    createProcessor: coreProcessor(await interpreterModule()),
  });
  await guest.waitFor("clock: kvm-clock");
  const { vcpu, clock } = guest.machine;
  const run = vcpu.run.bind(vcpu);
  let woken = 0;
  vcpu.run = (budget) => {
    const before = guest.machine.instructions;
    const exit = run(budget);
    if (exit === "halted" && guest.machine.instructions > before) woken++;
    return exit;
  };
  const until = async (seconds: number) => {
    const end = clock.nowNs() + BigInt(seconds) * 1_000_000_000n;
    while (clock.nowNs() < end) guest.machine.runSlice(50_000_000n);
  };
  await until(5);
  woken = 0;
  await until(SECONDS);
  return woken / SECONDS;
}

it(
  "Starter Linux wakes up at most three times a second at rest, and its date still follows the host's",
  async () => {
    const settings = ROOT_FILES["etc/sysctl.conf"]?.text;
    const rate = await wakeUps(STARTER_COMMAND_LINE, `cat > /settings <<'END'\n${settings}END\nsysctl -q -p /settings`);
    expect(rate).toBeGreaterThan(0);
    expect(rate).toBeLessThanOrEqual(3);
  },
  LIMIT_MS,
);

it(
  "a Linux as it comes wakes up at most a dozen times a second",
  async () => {
    const rate = await wakeUps("console=ttyS0 quiet", "");
    expect(rate).toBeGreaterThan(0);
    expect(rate).toBeLessThanOrEqual(12);
  },
  LIMIT_MS,
);
