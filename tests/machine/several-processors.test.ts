// Unmodified Linux on 2, 4 and 8 vCPUs, in instruction time.
import { beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { ACTIVITY } from "../../native-core/cpu/reset.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { PcGuest } from "../support/pc-guest.ts";

const BOOT_TIMEOUT_MS = 300_000;

/** Counts in a loop until it is told to stop. */
const COUNTER = `cat > /count <<'END'
i=0
trap 'echo COUNT $i; exit' TERM
while :; do i=$((i+1)); done
END`;

const BUSY = `${COUNTER}
echo CPUS $(nproc) $(grep -c ^processor /proc/cpuinfo) $(grep 'cpu cores' /proc/cpuinfo | sort -u | cut -d: -f2)
grep -E 'NMI|RES|CAL|TLB|ERR' /proc/interrupts
for n in 1 2 3 4; do sh /count & done
sleep 1
kill %1 %2 %3 %4
wait
dmesg -r | grep -E '^<[0-3]>'
echo ALL-DONE
poweroff -f`;

describe("Linux on several vCPUs", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;

  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });

  const start = (vcpuCount: number, script: string): Promise<LinuxGuest> =>
    LinuxGuest.start({ flavour: "cloud-amd64", script, createProcessor, memoryMib: 192, parts: { vcpuCount } });

  it.each([2, 4, 8])(
    "boots with %i, uses them all, and shares the time fairly between busy programs",
    async (vcpuCount) => {
      const guest = await start(vcpuCount, BUSY);
      expect(await guest.waitForEnd()).toBe("poweroff");
      expect(guest.console).toContain("ALL-DONE");
      expect(guest.console).toContain(`CPUS ${vcpuCount} ${vcpuCount} ${vcpuCount}`);
      expect(guest.console).toMatch(/ERR: +0/);
      expect(guest.console).not.toMatch(/^<[0-3]>/m);
      const counts = [...guest.console.matchAll(/COUNT (\d+)/g)].map((match) => Number(match[1]));
      expect(counts).toHaveLength(4);
      // With fewer vCPUs than programs, the guest's own scheduler is part of the measure: it may favour one for some ticks.
      expect(Math.min(...counts) / Math.max(...counts)).toBeGreaterThan(vcpuCount < 4 ? 0.8 : 0.9);
    },
    BOOT_TIMEOUT_MS,
  );

  it(
    "is found by SeaBIOS, which has each processor announce itself under a lock",
    async () => {
      const guest = await PcGuest.start({ createProcessor, firmware: { cpuCount: 4 }, parts: { vcpuCount: 4 } });
      await guest.waitForScreen("No bootable device.");
      guest.stop();
      for (const { state } of guest.machine.vcpus) {
        expect(state.get(STATE.instructionCount)).toBeGreaterThan(0n);
        expect(state.getNumber(STATE.halted)).toBe(ACTIVITY.halted);
      }
    },
    BOOT_TIMEOUT_MS,
  );

  it(
    "continues a saved machine with 4 vCPUs under load exactly: run N, save, run M equals restore, run M",
    async () => {
      const script = `${COUNTER}
for n in 1 2 3 4; do sh /count & done
echo LOADED
while :; do ls -lR /sys/class | md5sum; done`;
      const guest = await start(4, script);
      await guest.waitFor("LOADED");
      const saved = structuredClone(guest.machine.save());
      const memory = guest.machine.memory as CoreProcessor["memory"];
      const ram = memory.bytes().slice(0, memory.sizeBytes);

      const copy = await start(4, script);
      copy.machine.memory.write(0, ram);
      copy.machine.restore(saved);
      // Where blocks end depends on what is translated: both start with nothing.
      for (const vcpu of guest.machine.vcpus) vcpu.invalidateAll();
      for (const machine of [guest.machine, copy.machine]) {
        machine.resume();
        for (let slice = 0; slice < 20; slice++) machine.runSlice(5_000_000n);
      }
      expect(copy.machine.save()).toEqual(guest.machine.save());
      const copyMemory = copy.machine.memory as CoreProcessor["memory"];
      const same = Buffer.compare(
        copyMemory.bytes().subarray(0, memory.sizeBytes),
        memory.bytes().subarray(0, memory.sizeBytes),
      );
      expect(same).toBe(0);
    },
    BOOT_TIMEOUT_MS,
  );
});
