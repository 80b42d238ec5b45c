// Linux's own driver on the virtio-gpu: console, pixels of a program, and a monitor that changes its size.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

const MODES = "/sys/class/drm/card0-Virtual-1";

it("Linux shows its console and a program's pixels on a virtio-gpu, and follows the size of the monitor", async () => {
  const guest = await LinuxGuest.start({
    flavour: "amd64",
    modules: ["virtio_pci", "virtio_gpu"],
    script: 'echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done',
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 192,
    parts: { video: { adapter: "virtio" } },
  });
  await guest.waitFor("GUEST-READY");
  const { display } = guest.machine;
  if (!display) throw new Error("the machine has no display");
  const command = async (line: string) => {
    const from = guest.console.length;
    guest.type(`${line}\n`);
    await guest.waitFor("done\r\n", from);
    return guest.console.slice(from);
  };
  expect(display.size()).toMatchObject({ width: 1024, height: 768 });

  const pixels = new Uint32Array(1024 * 768);
  display.render(pixels, true);
  // 40 lines of 0x04030201: blue 1, green 2, red 3.
  await command(
    "printf '\\001\\002\\003\\004' > /p; for i in 1 2 3 4 5; do cat /p /p /p /p > /q; cat /q /q > /p; done",
  );
  // Linux 6.1 forgets writes of exactly one line.
  await command("cat /p /p > /q; dd if=/q of=/dev/fb0 bs=163840 count=1; sleep 0.3");
  const rects = display.render(pixels, false);
  // The console's cursor may be in it.
  const painted = pixels.subarray(0, 1024 * 40).filter((pixel) => pixel === 0xff01_0203);
  expect(painted.length).toBeGreaterThanOrEqual(1024 * 40 - 8 * 16);
  const drawn = rects.reduce((sum, { width, height }) => sum + width * height, 0);
  expect(drawn).toBeLessThan(1024 * 200);

  guest.machine.post({ kind: "resize", width: 800, height: 600 });
  expect(await command(`sleep 1; head -1 ${MODES}/modes`)).toContain("800x600");
  expect(display.size()).toMatchObject({ width: 800, height: 600 });

  // The console keeps its frame buffer's size; whoever asks finds the new mode.
  guest.machine.post({ kind: "resize", width: 1440, height: 900 });
  expect(await command(`sleep 1; echo detect > ${MODES}/status; head -1 ${MODES}/modes`)).toContain("1440x900");
  expect(await command("dmesg -r | grep -E '^<[0-3]>' | wc -l")).toMatch(/\n0\r/);
}, 600_000);
