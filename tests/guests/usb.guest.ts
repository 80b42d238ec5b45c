// Linux's own drivers on xHCI: enumeration, keys and pointer as events, and sticks with a file system that come and go.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { inputDevice, NAME_INPUT_DEVICES, recordEvents, recordedEvents } from "./support/input-events.ts";

it("Linux uses keyboard, tablet and sticks on xHCI, also those that are plugged in while it runs", async () => {
  const first = memoryDisk(8 << 20);
  const second = memoryDisk(4 << 20);
  second.content.set(new TextEncoder().encode("the second stick"), 4096);
  const guest = await LinuxGuest.start({
    flavour: "amd64",
    modules: ["xhci-pci", "usbhid", "hid-generic", "evdev", "usb-storage", "sd_mod", "vfat", "nls_cp437", "nls_ascii"],
    script: `
while [ ! -e /dev/sda ]; do sleep 0.1; done
${NAME_INPUT_DEVICES}
echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done`,
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 192,
    parts: { usb: { disks: [{ id: "stick0", backend: first }] } },
  });
  await guest.waitFor("GUEST-READY");
  const command = async (line: string) => {
    const from = guest.console.length;
    guest.type(`${line}\n`);
    await guest.waitFor("done\r\n", from);
    return guest.console.slice(from);
  };
  const deviceOf = (name: string) => inputDevice(guest.console, name);

  let from = guest.console.length;
  guest.type(`${recordEvents(deviceOf("Terrarium Terrarium USB Keyboard"), 6)}; echo "do""ne"\n`);
  await guest.waitFor("\r\n", from);
  await guest.waitFor("GUEST-READY");
  for (let wait = 0; wait < 20; wait++) guest.machine.runSlice(50_000_000n);
  for (const down of [true, false]) guest.machine.post({ kind: "key", key: 0x1e, down });
  await guest.waitFor("done\r\n", from);
  const KEY_A = 30;
  expect(recordedEvents(guest.console.slice(from))).toContainEqual([1, KEY_A, 1]);
  expect(recordedEvents(guest.console.slice(from))).toContainEqual([1, KEY_A, 0]);

  from = guest.console.length;
  guest.type(`${recordEvents(deviceOf("Terrarium Terrarium USB Tablet"), 5)}; echo "do""ne"\n`);
  await guest.waitFor("\r\n", from);
  for (let wait = 0; wait < 20; wait++) guest.machine.runSlice(50_000_000n);
  guest.machine.post({ kind: "pointer", dx: 0, dy: 0, x: 0.5, y: 0.25, wheel: 0, buttons: 1 });
  await guest.waitFor("done\r\n", from);
  const [ABS, ABS_X, ABS_Y, KEY, BTN_LEFT] = [3, 0, 1, 1, 272];
  const events = recordedEvents(guest.console.slice(from));
  expect(events).toContainEqual([ABS, ABS_X, 16_384]);
  expect(events).toContainEqual([ABS, ABS_Y, 8192]);
  expect(events).toContainEqual([KEY, BTN_LEFT, 1]);

  const sums = await command(
    'mkdosfs /dev/sda >/dev/null && mount -t vfat /dev/sda /new && cp /bin/busybox /new && umount /new && mount -t vfat /dev/sda /new && cat /new/busybox /bin/busybox | wc -c && cmp /new/busybox /bin/busybox && echo "SA""ME"; umount /new',
  );
  expect(sums).toMatch(/\nSAME\r/);

  if (!guest.machine.usb) throw new Error("the machine has no USB");
  guest.machine.usb.plug({ id: "stick1", backend: second });
  expect(
    await command(
      "while [ ! -e /dev/sdb ]; do sleep 0.1; done; dd if=/dev/sdb bs=4096 skip=1 count=1 2>/dev/null | head -c 16; echo",
    ),
  ).toContain("the second stick");
  expect(guest.machine.usb.unplug("stick1")).toBe(true);
  await command("while [ -e /dev/sdb ]; do sleep 0.1; done");
  expect(await command("dmesg -r | grep -E '^<[0-3]>' | wc -l")).toMatch(/\n0\r/);
}, 600_000);
