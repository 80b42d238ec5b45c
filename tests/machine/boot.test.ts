// Boots unmodified Debian kernels on the whole machine, in instruction time: what a run does depends on nothing but the machine.
import { beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

const SHELL = "echo GUEST-READY; while true; do setsid -c sh; done";
const BOOT_TIMEOUT_MS = 300_000;

describe("Linux on the machine", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;

  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });

  /** Types a command and returns what it printed. */
  async function command(guest: LinuxGuest, line: string): Promise<string> {
    const from = guest.console.length;
    guest.type(`${line}; echo "do""ne"\n`);
    await guest.waitFor("done\r\n", from);
    return guest.console.slice(from);
  }

  it(
    "boots the cloud kernel to a shell that answers, without complaints about the hardware, and powers off",
    async () => {
      const guest = await LinuxGuest.start({ flavour: "cloud-amd64", script: SHELL, createProcessor });
      await guest.waitFor("GUEST-READY");
      expect(await command(guest, "echo $((6 * 7))")).toContain("42");
      expect(await command(guest, "dmesg -r | grep -E '^<[0-3]>' | wc -l")).toMatch(/\n0\r/);
      expect(await command(guest, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")).toContain(
        "kvm-clock",
      );
      const interrupts = await command(guest, "cat /proc/interrupts");
      expect(interrupts).toMatch(/IO-APIC +4-edge +ttyS0/);
      expect(interrupts).toMatch(/IO-APIC +9-fasteoi +acpi/);
      expect(interrupts).toMatch(/ERR: +0/);
      const sum = await command(guest, "dd if=/dev/zero bs=1M count=4 2>/dev/null | sha256sum");
      expect(sum).toContain("bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8");
      guest.type("poweroff -f\n");
      expect(await guest.waitForEnd()).toBe("poweroff");
    },
    BOOT_TIMEOUT_MS,
  );

  it(
    "continues a saved machine exactly: run N, save, run M equals restore, run M",
    async () => {
      const options = { flavour: "cloud-amd64", script: SHELL, createProcessor, memoryMib: 128 } as const;
      const guest = await LinuxGuest.start(options);
      await guest.waitFor("Serial: 8250");
      const saved = structuredClone(guest.machine.save());
      const memory = guest.machine.memory as CoreProcessor["memory"];
      const ram = memory.bytes().slice(0, memory.sizeBytes);

      const copy = await LinuxGuest.start(options);
      copy.machine.memory.write(0, ram);
      copy.machine.restore(saved);
      copy.machine.resume();
      // Interrupts are taken at ends of blocks, and where those lie depends on what was mapped when they were decoded: both start
      // with nothing decoded.
      guest.machine.vcpu.invalidateAll();
      for (const each of [guest, copy]) {
        each.console = "";
        await each.waitFor("GUEST-READY");
      }
      expect(copy.console).toBe(guest.console);
      expect(copy.machine.save()).toEqual(guest.machine.save());
      const copyMemory = copy.machine.memory as CoreProcessor["memory"];
      expect(Buffer.compare(copyMemory.bytes().subarray(0, ram.length), memory.bytes().subarray(0, ram.length))).toBe(
        0,
      );
    },
    BOOT_TIMEOUT_MS,
  );

  it(
    "reboots through the ACPI reset register and comes up again",
    async () => {
      const guest = await LinuxGuest.start({ flavour: "cloud-amd64", script: SHELL, createProcessor });
      await guest.waitFor("GUEST-READY");
      guest.type("reboot -f\n");
      expect(await guest.waitForEnd()).toBe("reset");
      guest.console = "";
      guest.machine.reset();
      await guest.waitFor("GUEST-READY");
      expect(await command(guest, "echo again")).toContain("again");
    },
    BOOT_TIMEOUT_MS,
  );

  it(
    "boots the full kernel with a display, and takes keys from the PS/2 keyboard",
    async () => {
      const script = `echo GUEST-READY
read line </dev/tty1
echo "typed: $line"
echo seen-on-screen >/dev/tty1
${SHELL}`;
      const guest = await LinuxGuest.start({ flavour: "amd64", script, createProcessor, parts: { video: {} } });
      await guest.waitFor("GUEST-READY");
      // Set-1 codes of "hi!" and Enter.
      for (const key of [0x23, 0x17]) press(guest, key);
      guest.machine.post({ kind: "key", key: 0x2a, down: true });
      press(guest, 0x02);
      guest.machine.post({ kind: "key", key: 0x2a, down: false });
      press(guest, 0x1c);
      await guest.waitFor("typed: hi!");
      await guest.waitFor("GUEST-READY", guest.console.indexOf("typed"));
      expect(await command(guest, "cat /proc/bus/input/devices")).toContain("AT Translated Set 2 keyboard");
      expect(screenText(guest)).toContain("seen-on-screen");
      expect(guest.machine.display?.size()).toEqual({ width: 720, height: 400 });
    },
    BOOT_TIMEOUT_MS,
  );
});

function press(guest: LinuxGuest, key: number): void {
  guest.machine.post({ kind: "key", key, down: true });
  guest.machine.post({ kind: "key", key, down: false });
}

/** The 80 x 25 characters of text mode, as the adapter's window shows them at B8000h and after (the console scrolls through it). */
function screenText(guest: LinuxGuest): string {
  let text = "";
  for (let cell = 0; cell < 0x4000; cell++)
    text += String.fromCharCode(guest.machine.bus.readMmio(0xb8000 + cell * 2, 1));
  return text;
}
