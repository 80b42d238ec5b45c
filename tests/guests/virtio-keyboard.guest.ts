// Linux's own driver on the virtio keyboard: what is typed arrives through it and no longer through PS/2, and the driver's lights come back.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { inputDevice, NAME_INPUT_DEVICES, recordEvents, recordedEvents } from "./support/input-events.ts";

const [KEY_A, RIGHT_CTRL, PAUSE] = [0x1e, 0x9d, 0xc5];
const [H, I, LEFT_SHIFT, ENTER] = [0x23, 0x17, 0x2a, 0x1c];
const CAPS_LOCK = 4;

it("Linux takes keys from a virtio keyboard, and lights its lights", async () => {
  const guest = await LinuxGuest.start({
    flavour: "amd64",
    modules: ["virtio_pci", "virtio_input", "evdev"],
    script: `
${NAME_INPUT_DEVICES}
echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done`,
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 192,
    parts: { video: {}, virtioKeyboard: true },
  });
  await guest.waitFor("GUEST-READY");
  const device = inputDevice(guest.console, "Terrarium keyboard");
  const start = async (line: string) => {
    const from = guest.console.length;
    guest.type(`${line}\n`);
    await guest.waitFor("\r\n", from);
    for (let wait = 0; wait < 20; wait++) guest.machine.runSlice(50_000_000n);
    return async () => {
      await guest.waitFor("\ndone\r\n", from);
      return guest.console.slice(from);
    };
  };
  const press = (...keys: number[]) => {
    for (const key of keys) for (const down of [true, false]) guest.machine.post({ kind: "key", key, down });
  };
  const run = async (line: string) => (await start(line))();
  const ps2Interrupts = async () =>
    /i8042: (\d+)/.exec(await run("grep ' 1:' /proc/interrupts | sed 's/.*1: */i8042: /'"))?.[1];

  const before = await ps2Interrupts();
  const recorded = await start(recordEvents(device, 12));
  press(KEY_A, RIGHT_CTRL, PAUSE);
  const KEY = 1;
  expect(recordedEvents(await recorded()).filter(([type]) => type === KEY)).toEqual(
    [30, 97, 119].flatMap((code) => [
      [KEY, code, 1],
      [KEY, code, 0],
    ]),
  );

  // As a terminal takes it: through the kernel's key map.
  const line = await start("head -n 1 < /dev/tty1");
  guest.machine.post({ kind: "key", key: LEFT_SHIFT, down: true });
  press(H);
  guest.machine.post({ kind: "key", key: LEFT_SHIFT, down: false });
  press(I, ENTER);
  expect(await line()).toMatch(/Hi\r/);
  expect(await ps2Interrupts()).toBe(before);
  expect(before).toBeDefined();

  // struct input_event: 16 bytes of time, EV_LED, LED_CAPSL, on.
  await run(`printf '\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\021\\0\\001\\0\\001\\0\\0\\0' > ${device}`);
  expect(guest.machine.leds).toBe(CAPS_LOCK);
  expect(await run("dmesg -r | grep -E '^<[0-3]>' | wc -l")).toMatch(/\n0\r/);
}, 600_000);
