// States of a v86 machine, in a process of its own: `save` boots the guest and saves it twice, `restore` goes on from the file until a command is
// answered. Prints milliseconds as JSON.
import { readFile, writeFile } from "node:fs/promises";
import type { GuestOptions } from "./peer.ts";
import { v86Machine } from "./v86-machine.ts";

const [, , json = "{}", mode, file = ""] = process.argv;
let seen = "";
let wanted = /MARK idle/;
let found: () => void = () => undefined;
const output = (pattern: RegExp): Promise<void> => {
  seen = "";
  wanted = pattern;
  return new Promise((resolve) => {
    found = resolve;
  });
};

const appears = output(/MARK idle/);
const emulator = await v86Machine(
  JSON.parse(json) as GuestOptions,
  (character) => {
    seen += character;
    if (character === "\n" && wanted.test(seen)) found();
  },
  mode === "save",
);
if (mode === "save") {
  await appears;
  const times: { pause: number; total: number }[] = [];
  for (let n = 0; n < 2; n++) {
    const start = performance.now();
    // It runs on this thread, so the guest stands still meanwhile.
    const state = await emulator.save_state();
    const pause = performance.now() - start;
    await writeFile(file, new Uint8Array(state), { flush: true });
    times.push({ pause, total: performance.now() - start });
  }
  process.stdout.write(JSON.stringify(times));
} else {
  await new Promise<void>((resolve) => {
    emulator.add_listener("emulator-ready", resolve);
  });
  const state = await readFile(file);
  await emulator.restore_state(
    state.buffer.slice(state.byteOffset, state.byteOffset + state.byteLength) as ArrayBuffer,
  );
  const answered = output(/A42/);
  await emulator.run();
  emulator.serial0_send("echo A$((40+2))\n");
  await answered;
}
process.exit(0);
