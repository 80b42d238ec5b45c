// memtest86+ (Debian's package), booted from its disc through SeaBIOS, tests the machine's memory to the end of a pass.
import { afterAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { fixedMedium, PcGuest, packageFile } from "../support/pc-guest.ts";
import { waitUntil } from "../support/wait-until.ts";

const TIMEOUT_MS = 1_200_000;
const MEMORY_MIB = 64;

describe("memtest86+", () => {
  let guest: PcGuest | undefined;
  afterAll(() => guest?.stop());

  it(
    "finds no error in a full pass",
    async () => {
      const disc = await packageFile("memtest86+", "usr/lib/memtest86+/memtest86+x64.iso");
      guest = await PcGuest.start({
        createProcessor: coreProcessor(new WebAssembly.Module(buildInterpreter())),
        memoryMib: MEMORY_MIB,
        parts: { ide: [{ id: "cd0", position: 2, cdRom: new ScsiCdRom(fixedMedium(disc)) }] },
      });
      const screen = await screenAfterPass(guest);
      expect(screen).toContain(`${MEMORY_MIB}MB`);
      expect(screen).toMatch(/Pass: +1 +Errors: 0/);
    },
    TIMEOUT_MS,
  );
});

async function screenAfterPass(guest: PcGuest): Promise<string> {
  await waitUntil("a pass is done", () => /Status: (?:Pass|Failed)/.test(guest.screen), TIMEOUT_MS);
  return guest.screen;
}
