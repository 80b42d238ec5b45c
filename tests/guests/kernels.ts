// Debian's kernels booted to a shell: what each has to do, whichever it is.
import { expect, it } from "vitest";
import type { CpuModelName } from "../../native-core/cpu/cpuid/models.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { type KernelFlavour, LinuxGuest } from "../support/linux-guest.ts";

const TIMEOUT_MS = 900_000;

export interface KernelCase {
  readonly flavour: KernelFlavour;
  readonly vcpuCount: number;
  /** What `uname -m` says. */
  readonly machine: string;
  readonly model: CpuModelName;
}

/** Boots to a shell, finds its processors, computes, and powers off, without a word of complaint about the hardware. */
export function bootsToShell(cases: readonly KernelCase[]): void {
  it.each(cases)(
    "$flavour boots to a shell with $vcpuCount vCPUs of $model, complains of nothing and powers off",
    async ({ flavour, vcpuCount, machine, model }) => {
      const create = coreProcessor(await interpreterModule());
      const guest = await LinuxGuest.start({
        flavour,
        script: 'echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done',
        createProcessor: (options) => create({ ...options, model }),
        // Without tests of its own ciphers and a search for ISA cards, which are half of the time that it takes to boot.
        commandLine: "console=ttyS0 panic=-1 cryptomgr.notests isapnp.disable=1",
        parts: { vcpuCount },
      });
      await guest.waitFor("GUEST-READY");
      const command = async (line: string): Promise<string> => {
        const from = guest.console.length;
        guest.type(`${line}\n`);
        await guest.waitFor("done\r\n", from);
        return guest.console.slice(from);
      };
      expect(await command("uname -rm")).toMatch(new RegExp(`6\\.1\\.0-\\d+-${flavour} ${machine}\\r`));
      expect(await command("grep -c ^processor /proc/cpuinfo")).toContain(`\n${vcpuCount}\r`);
      expect(await command("dmesg -r | grep -E '^<[0-3]>' | wc -l")).toMatch(/\n0\r/);
      // All processors at once, each in a process of its own.
      const hashes = await command(
        `for n in $(seq ${vcpuCount}); do (dd if=/dev/zero bs=1M count=2 2>/dev/null | sha256sum > /h$n) & done; wait; cat /h*`,
      );
      const sum = "5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee";
      expect(hashes.split(sum)).toHaveLength(vcpuCount + 1);
      expect(await command("awk 'BEGIN { for (i = 1; i < 3000; i++) s += 1 / i; print s }'")).toContain("\n8.58342\r");
      const before = guest.console.length;
      guest.type("poweroff -f\n");
      expect(await guest.waitForEnd()).toBe("poweroff");
      expect(guest.console.slice(before)).not.toMatch(/Call Trace|unchecked MSR|BUG|WARNING/);
    },
    TIMEOUT_MS,
  );
}
