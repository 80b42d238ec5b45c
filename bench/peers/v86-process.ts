// One v86 machine in a process of its own; its serial port is standard output.
import type { GuestOptions } from "./peer.ts";
import { v86Machine } from "./v86-machine.ts";

let line = "";
await v86Machine(JSON.parse(process.argv[2] ?? "{}") as GuestOptions, (character) => {
  line += character;
  if (character !== "\n") return;
  process.stdout.write(line);
  // v86 has no way to notice that the guest powered off.
  if (line.includes("reboot: Power down")) process.exit(0);
  line = "";
});
