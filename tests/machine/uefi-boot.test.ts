// UEFI (OVMF from Debian's package) on the whole machine: its shell, variables that survive a power cycle, and a disc that boots through it.
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { VariableStore } from "../../native-core/host/variable-store.ts";
import type { MachineParts, ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { fixedMedium, PcGuest, packageFile } from "../support/pc-guest.ts";

const TIMEOUT_MS = 300_000;
const FOLDER = "usr/share/OVMF";

function occurrences(content: Uint8Array, text: Buffer): number {
  return Buffer.from(content).toString("latin1").split(text.toString("latin1")).length - 1;
}

describe("A PC with UEFI", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;
  const running: PcGuest[] = [];

  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });
  afterEach(() => {
    for (const guest of running.splice(0)) guest.stop();
  });

  async function start(parts: Partial<MachineParts> = {}, known?: Uint8Array) {
    const variables = known ?? (await packageFile("ovmf", `${FOLDER}/OVMF_VARS.fd`));
    const image = memoryDisk(variables.length);
    image.content.set(variables);
    const flash = await VariableStore.open(image, (error) => {
      throw error;
    });
    const guest = await PcGuest.start({
      createProcessor,
      firmware: { bios: { file: "OVMF_CODE.fd", bytes: await packageFile("ovmf", `${FOLDER}/OVMF_CODE.fd`) } },
      parts: { ...parts, flash },
    });
    running.push(guest);
    return { guest, image };
  }

  it(
    "starts its shell, and keeps its variables in an image of the machine, from which another start goes on",
    async () => {
      const { guest, image } = await start();
      await guest.waitForConsole("Shell> ");
      expect(guest.console).toContain("UEFI Interactive Shell");
      const name = Buffer.from("BootOrder", "utf16le");
      expect(Buffer.from(image.content).includes(name)).toBe(true);
      guest.stop();
      const again = await start({}, image.content.slice());
      await again.guest.waitForConsole("Shell> ");
      // What it knows already it does not write again.
      expect(occurrences(again.image.content, name)).toBe(occurrences(image.content, name));
    },
    TIMEOUT_MS,
  );

  it(
    "boots a disc for UEFI",
    async () => {
      const disc = await packageFile("memtest86+", "usr/lib/memtest86+/memtest86+x64.iso");
      const cdRom = new ScsiCdRom(fixedMedium(disc));
      const { guest } = await start({ ide: [{ id: "cd0", position: 2, cdRom }] });
      await guest.waitForConsole('starting Boot0001 "UEFI TERRARIUM DVD-ROM');
    },
    TIMEOUT_MS,
  );
});
