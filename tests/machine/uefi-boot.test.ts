// UEFI (OVMF from Debian's package) on the whole machine: its shell, variables that survive a reset, and a disc that boots through it.
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

describe("A PC with UEFI", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;
  const running: PcGuest[] = [];

  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });
  afterEach(() => {
    for (const guest of running.splice(0)) guest.stop();
  });

  async function start(parts: Partial<MachineParts> = {}) {
    const variables = await packageFile("ovmf", `${FOLDER}/OVMF_VARS.fd`);
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

  /** The shell listens on the serial port, too. */
  function type(guest: PcGuest, line: string): void {
    guest.console = "";
    guest.machine.post({ kind: "serial", port: 0, bytes: new TextEncoder().encode(`${line}\r`) });
  }

  function command(guest: PcGuest, line: string, answer: string): Promise<void> {
    type(guest, line);
    return guest.waitForConsole(answer);
  }

  it(
    "starts its shell, and keeps variables over a reset in an image of the machine",
    async () => {
      const { guest, image } = await start();
      await guest.waitForConsole("Shell> ");
      await command(guest, "ver", "UEFI v2.70");
      const text = Buffer.from("sprout", "utf16le");
      type(guest, 'setvar Dome -bs -nv =L"sprout"');
      await guest.waitFor("the variable in the image", () => Buffer.from(image.content).includes(text));
      await command(guest, "reset", "Shell> ");
      await command(guest, "setvar Dome", "s.p.r.o.u.t");
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
